import { JOB_SIGNALS, signalNumber } from './signals';

describe('signalNumber', () => {
  it.each(['SIGTERM', 'TERM', 'sigterm', 'term', 'Term', 'SigTerm', '15', 15])('takes %j for SIGTERM', (given) => {
    expect(signalNumber(given)).toBe(15);
  });

  it.each([9, '9', 'KILL', 'kill'])('takes %j for SIGKILL', (given) => {
    expect(signalNumber(given)).toBe(9);
  });

  it('takes each signal with and without its SIG', () => {
    for (const name of JOB_SIGNALS) expect([name, signalNumber(name.slice(3))]).toEqual([name, signalNumber(name)]);
    expect(new Set(JOB_SIGNALS.map(signalNumber)).size).toBe(JOB_SIGNALS.length);
  });

  it.each([
    '',
    'SIG',
    'SIGSIGTERM',
    ' TERM',
    'TERM\n',
    '-9',
    '+9',
    '09',
    '9.0',
    '0',
    0,
    -9,
    9.5,
    11,
    'SEGV',
    'SIGCHLD',
    'toString',
    null,
    true,
    ['TERM'],
    {},
  ])('refuses %j', (given) => {
    expect(signalNumber(given)).toBeNull();
  });
});
