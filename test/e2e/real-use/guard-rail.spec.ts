import { CommandService } from '../support/commands';

jest.setTimeout(120_000);

let commands: CommandService;
beforeAll(async () => {
  commands = await CommandService.start();
});
afterAll(() => commands?.stop());

/** `mycli` in a directory of programs that a virtual environment might have, and in /tmp. */
const MAKE_PROGRAMS = `mkdir -p v/bin .local/bin
printf '#!/bin/sh\\necho mine "$@"\\n' > v/bin/mycli
chmod +x v/bin/mycli && cp v/bin/mycli /workspace/run.sh && cp v/bin/mycli /tmp/a.sh && cp v/bin/mycli .local/bin/mycli
echo 'PATH=/workspace/v/bin:$PATH' > v/bin/activate`;

/** Programs of one's own, by the default list: the command and its output. */
const PASSES: [command: string, stdout: string][] = [
  ['/workspace/run.sh a', 'mine a\n'],
  ['/tmp/a.sh b', 'mine b\n'],
  ['~/.local/bin/mycli', 'mine\n'],
  ['$HOME/.local/bin/mycli', 'mine\n'],
  ['cd v && ../v/bin/mycli', 'mine\n'],
  ['. v/bin/activate && mycli c', 'mine c\n'],
  ['PATH=$PWD/v/bin:$PATH mycli', 'mine\n'],
  ['export PATH="$PWD/v/bin:$PATH" && mycli', 'mine\n'],
  ["alias ll='echo aliased'\nll", 'aliased\n'],
  ['if true; then my_step() { echo done; }; fi; my_step', 'done\n'],
  ['echo "helper() { echo helped; }" > lib.sh; . ./lib.sh; helper', 'helped\n'],
  ['mount | grep -c " /workspace "', '1\n'],
];

const REFUSED: [command: string, detail: RegExp][] = [
  ['nc -l 80', /^`nc` at line 1, column 1 is not allowed: .* a program of your own runs by its path, as \.\/NAME\. Allowed: \d+ programs/],
  ['/workspace/../usr/bin/nc', /is not allowed: it is not on the list of allowed programs\./],
  ['sudo ls', /is not allowed: it acts as another user, and a sandbox has one\./],
  ['useradd me', /is not allowed: it changes users and groups/],
];

describe.each(['REST', 'MCP'] as const)('The default list, by %s', (way) => {
  beforeAll(() => commands.rest.run(way, MAKE_PROGRAMS));

  it.each(PASSES)('lets %j pass', async (command, stdout) => {
    expect(await commands.ways[way](way, command)).toEqual({ stdout, stderr: '', exit_code: 0 });
  });

  it.each(REFUSED)('refuses %j', async (command, detail) => {
    expect(await commands.ways[way](way, command)).toEqual({ code: 'COMMAND_NOT_ALLOWED', detail: expect.stringMatching(detail) });
  });
});

it('The default list has every program of the image, or a reason why not', async () => {
  const list = 'find -H $(echo $PATH | tr : " ") -mindepth 1 -maxdepth 1 ! -type d -printf "%f\\n" 2>/dev/null | sort -u';
  let programs = (await commands.rest.run('image', list)).stdout.trim().split('\n');
  expect(programs.length).toBeGreaterThan(300);
  const withoutReason: string[] = [];
  // Nothing after `exit` is run, but all of it is checked: each answer names one that is refused.
  for (let refused: string | undefined = ''; refused !== undefined;) {
    const { status, body } = await commands.rest.execute<{ word?: string; reason?: string }>('image', `exit 0; ${programs.join('; ')}`);
    refused = status === 400 ? body.word : undefined;
    if (refused === undefined) expect(status).toBe(200);
    else if (/not on the list/.test(body.reason!)) withoutReason.push(refused);
    programs = programs.filter((program) => program !== refused);
  }
  expect(withoutReason).toEqual([]);
});
