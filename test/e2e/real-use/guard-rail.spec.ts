import { CommandService } from '../../support/service/commands';
import { Terminal } from '../../support/service/terminal';

jest.setTimeout(120_000);

let commands: CommandService;
beforeAll(async () => {
  commands = await CommandService.start();
});
afterAll(() => commands?.stop());

/** Installs `mycli` in a directory such as a virtual environment has, and in /tmp. */
const MAKE_PROGRAMS = `mkdir -p v/bin .local/bin
printf '#!/bin/sh\\necho mine "$@"\\n' > v/bin/mycli
chmod +x v/bin/mycli && cp v/bin/mycli /workspace/run.sh && cp v/bin/mycli /tmp/a.sh && cp v/bin/mycli .local/bin/mycli
ln -s ../../v/bin/mycli .local/bin/linked; ln -s /usr/lib/git-core/git-daemon .local/bin/imaged; touch .local/bin/plain
echo 'PATH=/workspace/v/bin:$PATH' > v/bin/activate`;

/** Commands that run a session's own programs, allowed by the default list, and their output. */
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
  ['mycli d', 'mine d\n'],
  ['cd /tmp && echo x | xargs linked && mycli', 'mine x\nmine\n'],
  ['command -v mycli; command mycli; [[ a ]] && mycli {e,f}', '/workspace/.local/bin/mycli\nmine\nmine e f\n'],
];

const REFUSED: [command: string, detail: RegExp][] = [
  ['nc -l 80', /^`nc` at line 1, column 1 is not allowed: .* a program of your own runs by its path, as \.\/NAME\. Allowed: \d+ programs/],
  ['/workspace/../usr/bin/nc', /is not allowed: it is not on the list of allowed programs\./],
  ['sudo ls', /is not allowed: it acts as another user, and a sandbox has one\./],
  ['useradd me', /is not allowed: it changes users and groups/],
  [
    'mycli; nc',
    /^`nc` at line 1, column 8 is not allowed: .* as \.\/NAME\. Allowed: \d+ programs, among them .* REST lists them in `allowed`\.$/,
  ],
  // These are a link into the image, and a file that is not executable.
  ['imaged', /^`imaged` at line 1, column 1 is not allowed/],
  ['plain', /^`plain` at line 1, column 1 is not allowed/],
];

/** PATHs that sessions set. git-daemon is in a directory of the image that PATH usually lacks. */
const PATHS: [path: string, command: string, answer: object][] = [
  ['/workspace/tools:/usr/bin:/bin', 'mytool', { stdout: 'tool\n', stderr: '', exit_code: 0 }],
  ['/usr/lib/git-core:/usr/bin:/bin', 'git-daemon', { code: 'COMMAND_NOT_ALLOWED', detail: expect.stringMatching(/^`git-daemon` at/) }],
  ['/usr/bin:/bin', 'mytool', { code: 'COMMAND_NOT_ALLOWED', detail: expect.stringMatching(/^`mytool` at/) }],
];

describe.each(['REST', 'MCP'] as const)('The default list, by %s', (way) => {
  beforeAll(() => commands.rest.run(way, MAKE_PROGRAMS));

  it.each(PASSES)('allows a command when it is %j', async (command, stdout) => {
    expect(await commands.ways[way](way, command)).toEqual({ stdout, stderr: '', exit_code: 0 });
  });

  it.each(REFUSED)('refuses a command when it is %j', async (command, detail) => {
    expect(await commands.ways[way](way, command)).toEqual({ code: 'COMMAND_NOT_ALLOWED', detail: expect.stringMatching(detail) });
  });

  it.each(PATHS)('searches the session’s PATH when it is %j and the command is %j', async (PATH, command, answer) => {
    const session_id = `${way} ${PATH} ${command}`;
    expect((await commands.rest.request('POST', '/sessions', { session_id, env: { PATH } })).status).toBe(200);
    await commands.rest.run(session_id, 'mkdir tools && printf "#!/bin/sh\\necho tool\\n" > tools/mytool && chmod +x tools/mytool');
    expect(await commands.ways[way](session_id, command)).toEqual(answer);
  });

  it('says that the call made the session when the program’s session has expired', async () => {
    expect(await commands.ways[way](`new ${way}`, 'mycli')).toEqual({
      code: 'COMMAND_NOT_ALLOWED',
      detail: expect.stringMatching(/`mycli` .* is not allowed: .* This call made the session, so its workspace is empty\.$/),
    });
  });
});

describe('The guard rail, for a program that an earlier command may have installed,', () => {
  beforeAll(() => commands.rest.run('others', MAKE_PROGRAMS));

  it('starts a job, by REST and MCP, only when the program exists', async () => {
    const jobs = '/sessions/others/jobs';
    const { status, body } = await commands.rest.request<{ job_id: string }>('POST', jobs, { command: 'mycli job' });
    expect(status).toBe(201);
    const output = await commands.rest.request('GET', `${jobs}/${body.job_id}/output?wait_seconds=20`);
    expect(output.body).toMatchObject({ data: 'mine job\n' });
    const started = await commands.tool('execute', { session_id: 'others', command: 'mycli job', background: true });
    const { job_id } = started.structuredContent as { job_id: string };
    const told = await commands.tool('job_output', { session_id: 'others', job_id, wait_seconds: 20 });
    expect(told.structuredContent).toMatchObject({ data: 'mine job\n' });

    const refused = await commands.rest.request('POST', jobs, { command: 'mycli; not-there' });
    expect([refused.status, refused.body]).toEqual([400, expect.objectContaining({ code: 'COMMAND_NOT_ALLOWED', word: 'not-there' })]);
    const background = await commands.tool('execute', { session_id: 'others', command: 'not-there', background: true });
    expect([background.isError, background.structuredContent]).toEqual([true, undefined]);
    const listed = await commands.rest.request<{ jobs: { command: string }[] }>('GET', jobs);
    expect(listed.body.jobs.map(({ command }) => command)).toEqual(['mycli job', 'mycli job']);
  });

  it('begins a stream only when the program exists', async () => {
    const stream = (command: string) =>
      commands.rest.execute<unknown>(
        'others',
        command,
        {},
        { headers: { Accept: 'text/event-stream', 'Content-Type': 'application/json' } },
      );
    expect(await stream('mycli live')).toMatchObject({ status: 200, body: expect.stringContaining('mine live') });
    expect(await stream('not-there')).toMatchObject({ status: 400, body: { code: 'COMMAND_NOT_ALLOWED', word: 'not-there' } });
  });

  it('runs it in a terminal only when it exists', async () => {
    const terminal = await Terminal.open(commands.rest, 'others', '?command=mycli%20tty');
    await terminal.shows(/mine tty/);
    await terminal.close();
    expect(await Terminal.refused(commands.rest, '/sessions/others/terminal?command=not-there')).toEqual([400, 'COMMAND_NOT_ALLOWED']);
  });

  it('refuses it when the list is strict', async () => {
    const strict = await CommandService.start({ ALLOWED_COMMANDS: 'ls,echo' });
    try {
      const put = await strict.rest.request('PUT', `${strict.rest.workspace('s', '.local/bin/mycli', true)}&mode=755`, {
        content: '#!/bin/sh\n',
      });
      expect(put.status).toBe(204);
      for (const way of ['REST', 'MCP'] as const) {
        expect(await strict.ways[way]('s', 'mycli')).toEqual({ code: 'COMMAND_NOT_ALLOWED', detail: expect.stringMatching(/^`mycli` at/) });
      }
    } finally {
      await strict.stop();
    }
  });
});

it('has each program of the image in the default list when there is no reason against it', async () => {
  const list = 'find -H $(echo $PATH | tr : " ") -mindepth 1 -maxdepth 1 ! -type d -printf "%f\\n" 2>/dev/null | sort -u';
  let programs = (await commands.rest.run('image', list)).stdout.trim().split('\n');
  expect(programs.length).toBeGreaterThan(300);
  const withoutReason: string[] = [];
  // The policy checks what follows `exit`, and nothing of it runs. Each answer names one refusal.
  for (let refused: string | undefined = ''; refused !== undefined;) {
    const { status, body } = await commands.rest.execute<{ word?: string; reason?: string }>('image', `exit 0; ${programs.join('; ')}`);
    refused = status === 400 ? body.word : undefined;
    if (refused === undefined) expect(status).toBe(200);
    else if (/not on the list/.test(body.reason!)) withoutReason.push(refused);
    programs = programs.filter((program) => program !== refused);
  }
  expect(withoutReason).toEqual([]);
});

describe('POST /policy/check', () => {
  const SESSION = 'checked';
  beforeAll(() => commands.rest.run(SESSION, MAKE_PROGRAMS));

  const check = async (body: object): Promise<unknown> => (await commands.rest.request('POST', '/policy/check', body)).body;

  it.each(PASSES)('allows what the session may run when the command is %j', async (command) => {
    expect(await check({ command, session_id: SESSION })).toEqual({ allowed: true });
  });

  it.each(REFUSED)('refuses with the words of POST /execute when the command is %j', async (command) => {
    const { body } = await commands.rest.request<Record<string, unknown>>('POST', '/execute', { command, session_id: SESSION });
    const { word, position, reason, similar } = body;
    expect(await check({ command, session_id: SESSION })).toEqual({ allowed: false, word, position, reason, similar });
  });

  it('knows no program of a session’s own when no session is named, and makes none', async () => {
    expect(await check({ command: 'mycli' })).toMatchObject({ allowed: false, word: 'mycli' });
    expect(await check({ command: 'mycli', session_id: 'not made' })).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect((await commands.rest.request('GET', '/sessions/not%20made')).status).toBe(404);
  });
});
