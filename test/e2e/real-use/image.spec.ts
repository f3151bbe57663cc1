import { CommandService } from '../../support/service/commands';

jest.setTimeout(180_000);

let commands: CommandService;
beforeAll(async () => {
  commands = await CommandService.start();
});
afterAll(() => commands?.stop());

const NO_TERMINAL = 'no terminal here. Write the file by a command or a file call, or open a terminal.';
const EDITORS = ['vi', 'nano', 'view', 'editor'].map((name) => `${name}: ${NO_TERMINAL}\n1\n`).join('');

/** A wheel with one program, `hello-own`. `pip install` takes it without a network. */
const WHEEL = `python3 - <<'END'
import zipfile
info = 'hello_own-1.0.dist-info/'
with zipfile.ZipFile('hello_own-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('hello_own.py', "def main():\\n    print('hello of my own')\\n")
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: hello-own\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'entry_points.txt', '[console_scripts]\\nhello-own = hello_own:main\\n')
    wheel.writestr(info + 'RECORD', '')
END`;

/**
 * Commands that work on a developer's machine, and have to work in the sandbox too. A row is a
 * command and its whole answer.
 */
const ROWS: [title: string, command: string, stdout: string, more?: { timeout: number }][] = [
  ['runs a script in /tmp', 'printf "#!/bin/sh\\necho from /tmp\\n" > /tmp/a.sh; chmod +x /tmp/a.sh; cd /tmp && ./a.sh', 'from /tmp\n'],
  [
    'maps a library in /dev/shm, as ctypes and multiprocessing do',
    `cp "$(python3 -c 'import _ctypes; print(_ctypes.__file__)')" /dev/shm/lib.so && python3 -c 'import ctypes; print(bool(ctypes.CDLL("/dev/shm/lib.so")))'`,
    'True\n',
  ],
  [
    'has an identity for the first commit',
    'rm -rf repo && mkdir repo && cd repo && git init -q && echo a > a && git add . && git commit -qm first && git log --format="%an <%ae> %s" && git branch --show-current',
    'sandbox <sandbox@localhost> first\nmain\n',
  ],
  ['works in a repository of another owner', 'git config --get-all safe.directory', '*\n'],
  ['finds programs of its own first', 'echo "${PATH%%:*}"', '/workspace/.local/bin\n'],
  [
    'installs a package as pip is typed, and finds its program',
    `rm -rf ~/.local; ${WHEEL}\npip install -q ./hello_own-1.0-py3-none-any.whl 2>/dev/null && hello-own && command -v hello-own`,
    'hello of my own\n/workspace/.local/bin/hello-own\n',
  ],
  ['finds that program in the next command', 'hello-own', 'hello of my own\n'],
  [
    'installs into a virtual environment, and finds the program there first',
    'rm -rf v; python3 -m venv v && . v/bin/activate && pip install -q ./hello_own-1.0-py3-none-any.whl && hello-own && command -v hello-own',
    'hello of my own\n/workspace/v/bin/hello-own\n',
    // This command starts Python about ten times.
    { timeout: 110 },
  ],
  ['ends an editor at once', 'for name in vi nano view editor; do $name a.txt < /dev/null 2>&1; echo $?; done', EDITORS],
  ['ends a commit without a message at once', 'cd repo && git commit --allow-empty > /dev/null 2>&1; echo $?', '1\n'],
];

describe.each(['REST', 'MCP'] as const)('The sandbox, by %s', (way) => {
  // Every row has all four values. If a row lacked one, jest would pass a callback in its place.
  it.each(ROWS.map(([title, command, stdout, more = {}]) => [title, command, stdout, more] as const))(
    '%s',
    async (_, command, stdout, more) => {
      expect(await commands.ways[way](`image ${way}`, command, more)).toEqual({ stdout, stderr: '', exit_code: 0 });
    },
  );
});
