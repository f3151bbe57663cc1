import { CommandService } from '../../support/service/commands';
import { Events } from '../../support/service/events';
import { eventually } from '../../support/service/processes';
import { UNDER_GVISOR } from '../../support/engine-under-test';

jest.setTimeout(180_000);

const MIB = 1024 ** 2;
/** So little memory that it is soon used up. */
const SMALL = {
  CONTAINER_MEM_LIMIT: '96m',
  CONTAINER_TMPFS_WORKSPACE_SIZE: '40m',
  CONTAINER_TMPFS_TMP_SIZE: '8m',
  CONTAINER_CPU_QUOTA: '200000',
  MAX_SESSION_MEMORY: '1g',
};
/** Makes bytes and writes to them, so that they take memory. */
const use = (mib: number): string => `python3 -c 'len(b"x" * (${mib} << 20))'`;
const IN_A_CHILD = `python3 -c 'import subprocess, sys; print(subprocess.run([sys.executable, "-c", "len(bytes(1) * (200 << 20))"]).returncode)'`;

/** A title, a command, and what its answer says of the command's end. */
const ROWS: [title: string, command: string, end: object][] = [
  ['a program takes too much', use(200), { exit_code: 137, oom_killed: true, memory_limit: 96 * MIB }],
  [
    'a child takes too much and the command itself ends well',
    IN_A_CHILD,
    { stdout: '-9\n', exit_code: 0, oom_killed: true, memory_limit: 96 * MIB },
  ],
  ['a file has taken the memory that a program needs', `head -c 38M /dev/zero > fill && ${use(64)}`, { exit_code: 137, oom_killed: true }],
  ['the file is gone', `rm fill; ${use(64)}`, { exit_code: 0, oom_killed: false }],
  ['a program is killed for another reason', 'kill -9 $$', { exit_code: 137, oom_killed: false }],
  ['all goes well', 'echo ok', { stdout: 'ok\n', exit_code: 0, oom_killed: false }],
];

// gVisor does not count these events. docs/security.md says what happens there.
(UNDER_GVISOR ? describe.skip : describe)('The service, for a command that may use up its memory,', () => {
  let commands: CommandService;

  beforeAll(async () => {
    commands = await CommandService.start(SMALL);
  });
  afterAll(() => commands?.stop());

  describe.each(['REST', 'MCP'] as const)('by %s', (way) => {
    it.each(ROWS)('says whether memory ran out when %s', async (_title, command, end) => {
      const session_id = `memory ${way}`;
      const answer =
        way === 'REST'
          ? await commands.rest.run(session_id, command)
          : (await commands.tool('execute', { session_id, command })).structuredContent!;
      expect(answer).toMatchObject(end);
      if (!answer.oom_killed) expect(answer).not.toHaveProperty('memory_limit');
    });
  });

  it('reports the session’s own limit when it has one', async () => {
    await commands.rest.request('POST', '/sessions', { session_id: 'small', memory: '128m' });
    expect(await commands.rest.run('small', use(200))).toMatchObject({ oom_killed: true, memory_limit: 128 * MIB });
  });

  it('gives a model words to act on only when memory ran out', async () => {
    const text = async (command: string): Promise<unknown> => {
      const [first] = (await commands.tool('execute', { session_id: 'words', command })).content as { text: string }[];
      return first!.text;
    };
    expect(await text(use(200))).toMatch(
      /^exit code 137 .*\nnote: a process was killed: the sandbox’s memory limit of 96 MiB was reached/m,
    );
    expect(await text('kill -9 $$')).not.toContain('memory');
  });

  it('reports it at the end when the answer is a stream', async () => {
    const end = async (command: string): Promise<object | undefined> =>
      (await (await Events.execute(commands.rest, 'stream', command)).all()).find(({ event }) => event === 'exit')?.data;
    expect(await end(use(200))).toMatchObject({ exit_code: 137, oom_killed: true, memory_limit: 96 * MIB });
    expect(await end('true')).toMatchObject({ exit_code: 0, oom_killed: false });
  });

  it('reports it when a job runs and when it has ended', async () => {
    const session_id = 'job';
    const started = await commands.tool('execute', {
      session_id,
      command: `${IN_A_CHILD}; until [ -e go ]; do sleep 0.05; done`,
      background: true,
    });
    const { job_id } = started.structuredContent as { job_id: string };
    const job = async (): Promise<object> => (await commands.rest.request('GET', `/sessions/${session_id}/jobs/${job_id}`)).body;
    const output = () => commands.tool('job_output', { session_id, job_id });
    const running = await eventually('the child is killed', async () => {
      const { structuredContent } = await output();
      return (structuredContent as { oom_killed: boolean }).oom_killed && structuredContent;
    });
    expect(running).toMatchObject({ state: 'running', oom_killed: true, memory_limit: 96 * MIB });
    expect(await job()).toMatchObject({ state: 'running', oom_killed: true, memory_limit: 96 * MIB });
    await commands.rest.run(session_id, 'touch go');
    await eventually('the job ends', async () => ((await job()) as { state: string }).state === 'exited');
    expect(await job()).toMatchObject({ exit_code: 0, oom_killed: true, memory_limit: 96 * MIB });
    expect((await output()).content).toEqual([
      { type: 'text', text: expect.stringMatching(/^exited, exit code 0.*\nnote: a process was killed: .*96 MiB/) },
    ]);
    const other = await commands.rest.request<{ jobs: object[] }>('GET', `/sessions/${session_id}/jobs`);
    expect(other.body.jobs).toEqual([expect.objectContaining({ job_id, oom_killed: true })]);
  });

  it('reports it for each command when several ran meanwhile', async () => {
    await commands.rest.run('side by side', 'true');
    const waiting = commands.rest.run('side by side', 'touch waits; until [ -e done ]; do sleep 0.05; done');
    await eventually('it waits', async () => (await commands.rest.run('side by side', 'test -e waits')).exit_code === 0);
    expect(await commands.rest.run('side by side', `${use(200)}; touch done`)).toMatchObject({ oom_killed: true });
    expect(await waiting).toMatchObject({ exit_code: 0, oom_killed: true });
    expect(await commands.rest.run('side by side', 'true')).toMatchObject({ oom_killed: false });
  });
});
