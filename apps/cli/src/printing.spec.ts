import { printable } from './printing';

it('shows no character that could command a terminal', () => {
  expect(printable('a\u001b[2Jb\u0007\u009b31m\tc\r\n')).toBe('a\ufffd[2Jb\ufffd\ufffd31m c\ufffd\ufffd');
});
