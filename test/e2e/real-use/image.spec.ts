import { CommandService } from '../support/commands';

jest.setTimeout(120_000);

let commands: CommandService;
beforeAll(async () => {
  commands = await CommandService.start();
});
afterAll(() => commands?.stop());

/**
 * What the sandbox itself brings, so that what works on a developer's machine works here too.
 * A row is a command and its whole answer.
 */
const ROWS: [title: string, command: string, stdout: string][] = [
  ['runs a script in /tmp', 'printf "#!/bin/sh\\necho from /tmp\\n" > /tmp/a.sh; chmod +x /tmp/a.sh; cd /tmp && ./a.sh', 'from /tmp\n'],
  [
    'maps a library in /dev/shm, as ctypes and multiprocessing do',
    `cp "$(python3 -c 'import _ctypes; print(_ctypes.__file__)')" /dev/shm/lib.so && python3 -c 'import ctypes; print(bool(ctypes.CDLL("/dev/shm/lib.so")))'`,
    'True\n',
  ],
];

describe.each(['REST', 'MCP'] as const)('The sandbox, by %s', (way) => {
  it.each(ROWS)('%s', async (_, command, stdout) => {
    expect(await commands.ways[way](`image ${way}`, command)).toEqual({ stdout, stderr: '', exit_code: 0 });
  });
});
