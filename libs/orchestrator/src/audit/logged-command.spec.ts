import { loggedCommand } from './logged-command';

const LONG = 'x'.repeat(180);

describe('loggedCommand', () => {
  it.each([
    ['ls -la', 'ls -la'],
    ['git clone https://ann:s3cr%26t@host/a.git b', 'git clone https://***@host/a.git b'],
    ["git clone 'https://token@host/a.git' && curl ftp://u:p@h/x", "git clone 'https://***@host/a.git' && curl ftp://***@h/x"],
    ['curl http://host:80/a@b', 'curl http://host:80/a@b'],
    [
      "printf %s 'host=h\nusername=ann\npassword=it is\n\n' | git credential approve",
      "printf %s 'host=h\nusername=ann\npassword=***\n\n' | git credential approve",
    ],
    ['echo password=x', 'echo password=x'],
    [`${LONG} https://ann:secret-of-more-than-the-rest@host/`, `${LONG} https://***`],
    [`${LONG} https://example.com/a/b/c/d/e/f/g`, `${LONG} https://example.com`],
    ['y'.repeat(500), 'y'.repeat(200)],
  ])('shows %j as %j', (command, shown) => {
    expect(loggedCommand(command)).toBe(shown);
  });
});
