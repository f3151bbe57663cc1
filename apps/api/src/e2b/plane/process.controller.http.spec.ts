import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Job, JobsService, TerminalsService } from '@sandbox/orchestrator';
import { type User, userFromApiKey } from '@sandbox/sessions';
import { API_KEY, TestApp } from '../../../../../test/support/test-app';
import { messageFrame } from '../protocol/envelopes';

const ID = '0123456789abcdef0123456789abcdef';
/** The user whose calls make no session. */
const alice = expect.objectContaining({ ...userFromApiKey(API_KEY), onlyLive: true }) as User;
const anySignal = expect.any(AbortSignal) as AbortSignal;

function job(more: Partial<Job> = {}): Job {
  return {
    job_id: `0000002a${'0'.repeat(24)}`,
    command: 'make',
    state: 'exited',
    exit_code: 0,
    signal: null,
    started_at: '2025-01-01T00:00:00.000Z',
    ended_at: null,
    oom_killed: false,
    stdout_bytes: 7,
    stderr_bytes: 9,
    ...more,
  };
}

const b64 = (text: string): string => Buffer.from(text).toString('base64');

describe('E2B’s process.Process', () => {
  let app: TestApp;
  const jobs = {
    startJob: jest.fn<ReturnType<JobsService['startJob']>, Parameters<JobsService['startJob']>>(),
    followOutput: jest.fn<ReturnType<JobsService['followOutput']>, Parameters<JobsService['followOutput']>>(),
    getJob: jest.fn(async () => job()),
    listJobs: jest.fn(async () => [] as Job[]),
    writeInput: jest.fn(),
    sendSignal: jest.fn(),
  };
  const terminals = {
    openTerminal: jest.fn<ReturnType<TerminalsService['openTerminal']>, Parameters<TerminalsService['openTerminal']>>(),
    followOutput: jest.fn<ReturnType<TerminalsService['followOutput']>, Parameters<TerminalsService['followOutput']>>(),
    written: jest.fn(async () => 5),
    writeInput: jest.fn(),
    resizeTerminal: jest.fn(),
    sendSignal: jest.fn(),
  };

  beforeAll(async () => {
    app = await TestApp.start({ jobs, terminals });
  });
  beforeEach(() => {
    jest.resetAllMocks();
    jobs.startJob.mockResolvedValue({ ...job({ state: 'running' }), session_created: false, session_restarted: false });
    jobs.followOutput.mockResolvedValue(job());
    jobs.getJob.mockResolvedValue(job());
    jobs.listJobs.mockResolvedValue([]);
    terminals.openTerminal.mockResolvedValue('x');
    terminals.followOutput.mockResolvedValue(0);
    terminals.written.mockResolvedValue(5);
  });
  afterAll(() => app.stop());

  const post = (method: string, type: string, body: RequestInit['body'], headers: Record<string, string> = {}): Promise<Response> =>
    app.fetch(`/e2b/sandbox/process.Process/${method}`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': type, 'Connect-Protocol-Version': '1', 'E2b-Sandbox-Id': ID, ...headers },
    });

  async function unary(method: string, message: object, headers?: Record<string, string>): Promise<[number, unknown]> {
    const response = await post(method, 'application/json', JSON.stringify(message), headers);
    return [response.status, await response.json()];
  }

  /** Reads the messages of a stream, and last what its end says. */
  async function stream(method: string, body: object | Buffer, headers?: Record<string, string>): Promise<unknown[]> {
    const bytes = Buffer.isBuffer(body) ? body : messageFrame(body);
    const response = await post(method, 'application/connect+json', new Uint8Array(bytes), headers);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/connect+json']);
    const messages: unknown[] = [];
    let rest = Buffer.from(await response.arrayBuffer());
    while (rest.length > 0) {
      const length = rest.readUInt32BE(1);
      expect(rest[0]).toBe(rest.length === length + 5 ? 2 : 0);
      messages.push(JSON.parse(rest.subarray(5, 5 + length).toString()));
      rest = rest.subarray(5 + length);
    }
    return messages;
  }

  const start = (message: object, headers?: Record<string, string>): Promise<unknown[]> =>
    stream('Start', { process: { cmd: '/bin/bash', args: ['-l', '-c', 'make'] }, ...message }, headers);
  const refusal = (code: string, text: string): unknown[] => [{ error: { code, message: expect.stringContaining(text) } }];
  const event = (name: string, value: object): object => ({ event: { [name]: value } });
  const pid = expect.any(Number) as number;

  describe('Start', () => {
    it('runs the shell text of a command as a job, and streams its events', async () => {
      jobs.followOutput.mockImplementation(async (_user, _session, _job, _reader, watcher) => {
        await watcher.output('stdout', b64('out'), { stdout: 3, stderr: 0 });
        await watcher.output('stderr', b64('err'), { stdout: 3, stderr: 3 });
        return job();
      });
      expect(await start({ stdin: false })).toEqual([
        event('start', { pid }),
        event('data', { stdout: b64('out') }),
        event('data', { stderr: b64('err') }),
        event('end', { exitCode: 0, exited: true, status: 'exit status 0' }),
        {},
      ]);
      const [user, session, command, , id] = jobs.startJob.mock.calls[0]!;
      expect([user, session, command]).toEqual([alice, ID, { command: 'make', open_stdin: false, timeout: 3600 }]);
      const reader = { from: { stdout: 0, stderr: 0 }, streams: ['stdout', 'stderr'], encoding: 'base64' };
      expect(jobs.followOutput).toHaveBeenCalledWith(alice, ID, id, reader, expect.anything(), anySignal);
    });

    it('answers the pid that the id of the job begins with', async () => {
      const [first] = (await start({})) as [{ event: { start: { pid: number } } }];
      const id = jobs.startJob.mock.calls[0]![4]!;
      expect(Number.parseInt(id.slice(0, 8), 16)).toBe(first.event.start.pid);
    });

    it('passes directory, variables, input and time on', async () => {
      const process = { cmd: '/bin/bash', args: ['-l', '-c', 'make'], cwd: 'src', envs: { A: 'b' } };
      await start({ process }, { 'Connect-Timeout-Ms': '1500' });
      const command = { command: 'make', working_dir: 'src', env: { A: 'b' }, open_stdin: true, timeout: 1.5 };
      expect(jobs.startJob).toHaveBeenCalledWith(alice, ID, command, anySignal, expect.any(String));
      for (const [given, timeout] of [
        ['0', 3600],
        ['1', 1],
        ['9999999999', 3600],
      ] as const) {
        await start({}, { 'Connect-Timeout-Ms': given });
        expect(jobs.startJob.mock.lastCall![2].timeout).toBe(timeout);
      }
    });

    it.each<[Partial<Job>, unknown]>([
      [{ exit_code: 3 }, event('end', { exitCode: 3, exited: true, status: 'exit status 3', error: 'exit status 3' })],
      [
        { state: 'killed', exit_code: 137, signal: 'SIGKILL' },
        event('end', { exitCode: 137, exited: false, status: 'signal: SIGKILL', error: 'signal: SIGKILL' }),
      ],
    ])('tells of the end %j', async (end, told) => {
      jobs.followOutput.mockResolvedValue(job(end));
      expect((await start({}))[1]).toEqual(told);
    });

    it.each<[Partial<Job>, string]>([
      [{ state: 'timed_out', exit_code: 124 }, 'deadline_exceeded'],
      [{ state: 'lost', exit_code: null }, 'unavailable'],
    ])('ends with an error when the job is %j', async (end, code) => {
      jobs.followOutput.mockResolvedValue(job(end));
      expect(await start({})).toEqual([event('start', { pid }), ...refusal(code, '')]);
    });

    it('ends with an error when output was dropped', async () => {
      jobs.followOutput.mockImplementation(async (_user, _session, _job, _reader, watcher) => {
        await watcher.gap('stdout', 12, { stdout: 12, stderr: 0 });
        return job();
      });
      expect(await start({})).toEqual([event('start', { pid }), ...refusal('data_loss', '12 bytes')]);
    });

    it.each<[ErrorCode, string]>([
      ['COMMAND_NOT_ALLOWED', 'permission_denied'],
      ['INVALID_WORKING_DIR', 'invalid_argument'],
      ['SESSION_NOT_FOUND', 'unavailable'],
      ['TOO_MANY_JOBS', 'resource_exhausted'],
      ['RUNTIME_UNAVAILABLE', 'internal'],
    ])('answers %s as %s', async (code, told) => {
      jobs.startJob.mockRejectedValue(new SandboxError(code, 'Why.'));
      expect(await start({})).toEqual(refusal(told, 'Why.'));
    });

    it('starts a terminal for a process with a pty', async () => {
      terminals.followOutput.mockImplementation(async (_name, _since, watcher) => {
        await watcher.output(Buffer.from('$ '));
        await watcher.gap(4);
        return 1;
      });
      const process = { cmd: '/bin/bash', args: ['-i', '-l'], envs: { TERM: 'xterm' }, cwd: 'src' };
      expect(await start({ process, pty: { size: { cols: 80, rows: 24 } } }, { 'Connect-Timeout-Ms': '60000' })).toEqual([
        event('start', { pid }),
        event('data', { pty: b64('$ ') }),
        event('end', { exitCode: 1, exited: true, status: 'exit status 1', error: 'exit status 1' }),
        {},
      ]);
      const options = { env: { TERM: 'xterm' }, working_dir: 'src', terminal: expect.any(String), lifeMs: 60_000, detachedMs: 60_000 };
      expect(terminals.openTerminal).toHaveBeenCalledWith(alice, ID, undefined, { cols: 80, rows: 24 }, anySignal, options);
      await start({ process: { cmd: 'htop' }, pty: { size: { cols: 80, rows: 24 } } });
      expect(terminals.openTerminal.mock.lastCall![2]).toBe('htop');
    });

    it.each<[string, object, Record<string, string>, string]>([
      ['no process', { process: undefined }, {}, 'invalid_argument'],
      ['no program', { process: { args: [] } }, {}, 'invalid_argument'],
      ['arguments that are no texts', { process: { cmd: 'ls', args: [1] } }, {}, 'invalid_argument'],
      ['NUL', { process: { cmd: 'l\0s' } }, {}, 'invalid_argument'],
      ['a command that is too long', { process: { cmd: 'echo', args: ['x'.repeat(32_000)] } }, {}, 'invalid_argument'],
      ['variables with bad names', { process: { cmd: 'ls', envs: { '=': 'x' } } }, {}, 'invalid_argument'],
      ['an unknown member', { more: 1 }, {}, 'invalid_argument'],
      ['a terminal without a size', { pty: {} }, {}, 'invalid_argument'],
      ['a terminal that is too large', { pty: { size: { cols: 1e6, rows: 1 } } }, {}, 'invalid_argument'],
      ['a tag', { tag: 'x' }, {}, 'unimplemented'],
      ['a time that is no number', {}, { 'Connect-Timeout-Ms': '1s' }, 'invalid_argument'],
      ['another user', {}, { Authorization: `Basic ${b64('root:')}` }, 'unimplemented'],
      ['a compressed message', {}, { 'Connect-Content-Encoding': 'gzip' }, 'invalid_argument'],
      ['no sandbox', {}, { 'E2b-Sandbox-Id': '' }, 'invalid_argument'],
      ['no credential', {}, { 'X-API-Key': 'wrong' }, 'unauthenticated'],
    ])('refuses %s', async (_name, message, headers, code) => {
      expect(await start(message, headers)).toEqual(refusal(code, ''));
      expect(jobs.startJob).not.toHaveBeenCalled();
    });

    it('lets the user of the sandbox pass by name', async () => {
      expect((await start({}, { Authorization: `Basic ${b64('user:')}` }))[0]).toEqual(event('start', { pid }));
    });

    it.each<[string, Buffer]>([
      ['no envelope', Buffer.from('{}')],
      ['an envelope that is longer than it says', Buffer.concat([messageFrame({}), Buffer.from('x')])],
      ['no JSON', Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), Buffer.from('{')])],
      ['two messages', Buffer.concat([messageFrame({}), messageFrame({})])],
      ['more than 2 MiB', Buffer.alloc(3 * 1024 * 1024)],
    ])('refuses a body with %s', async (_name, body) => {
      expect(await stream('Start', body)).toEqual(refusal('invalid_argument', ''));
    });

    it('takes nothing but its own content type', async () => {
      for (const type of ['application/json', 'application/proto', 'application/grpc+proto']) {
        const response = await post('Start', type, '{}');
        expect([type, response.status, await response.json()]).toEqual([
          type,
          400,
          { code: 'invalid_argument', message: expect.any(String) },
        ]);
      }
      expect(await refusedStream('application/connect+proto')).toMatchObject({ error: { code: 'invalid_argument' } });
    });

    async function refusedStream(type: string): Promise<unknown> {
      const response = await post('Start', type, new Uint8Array(messageFrame({})));
      return JSON.parse(
        Buffer.from(await response.arrayBuffer())
          .subarray(5)
          .toString(),
      );
    }

    it('goes on when its client goes away', async () => {
      let followed!: AbortSignal;
      const begun = new Promise<void>((resolve) => {
        jobs.followOutput.mockImplementation((_user, _session, _job, _reader, _watcher, signal) => {
          followed = signal;
          resolve();
          return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('gone'))));
        });
      });
      const gone = new AbortController();
      const message = messageFrame({ process: { cmd: 'ls' } });
      const headers = { 'Content-Type': 'application/connect+json', 'E2b-Sandbox-Id': ID };
      const call = app.fetch('/e2b/sandbox/process.Process/Start', {
        method: 'POST',
        body: new Uint8Array(message),
        headers,
        signal: gone.signal,
      });
      await begun;
      gone.abort();
      await call.catch(() => undefined);
      await new Promise<void>((resolve) => (followed.aborted ? resolve() : followed.addEventListener('abort', () => resolve())));
      expect(jobs.sendSignal).not.toHaveBeenCalled();
    });
  });

  describe('Connect', () => {
    it('follows a job from now on', async () => {
      expect(await stream('Connect', { process: { pid: 42 } })).toEqual([
        event('start', { pid: 42 }),
        event('end', { exitCode: 0, exited: true, status: 'exit status 0' }),
        {},
      ]);
      const id = `0000002a${'0'.repeat(24)}`;
      expect(jobs.followOutput).toHaveBeenCalledWith(
        alice,
        ID,
        id,
        expect.objectContaining({ from: { stdout: 7, stderr: 9 } }),
        expect.anything(),
        anySignal,
      );
    });

    it('follows a terminal from now on', async () => {
      expect((await stream('Connect', { process: { pid: 43 } }))[0]).toEqual(event('start', { pid: 43 }));
      expect(terminals.followOutput.mock.calls[0]!.slice(0, 2)).toEqual([
        { user: alice, sessionId: ID, terminal: `0000002b${'0'.repeat(24)}` },
        5,
      ]);
    });

    it('ends with the time that its client gave', async () => {
      jobs.followOutput.mockImplementation(
        (_user, _session, _job, _reader, _watcher, signal) =>
          new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('over')))),
      );
      const messages = await stream('Connect', { process: { pid: 42 } }, { 'Connect-Timeout-Ms': '20' });
      expect(messages).toEqual([event('start', { pid: 42 }), ...refusal('deadline_exceeded', '')]);
    });

    it.each<[object, string]>([
      [{}, 'invalid_argument'],
      [{ process: {} }, 'invalid_argument'],
      [{ process: { pid: 0 } }, 'not_found'],
      [{ process: { pid: 4_294_967_295 } }, 'not_found'],
      [{ process: { pid: '42' } }, 'invalid_argument'],
      [{ process: { tag: 'x' } }, 'unimplemented'],
    ])('refuses %j', async (message, code) => {
      expect(await stream('Connect', message)).toEqual(refusal(code, ''));
    });

    it('answers not_found when there is no such process', async () => {
      jobs.getJob.mockRejectedValue(new SandboxError(ErrorCode.JOB_NOT_FOUND, 'There is no such job.'));
      expect(await stream('Connect', { process: { pid: 42 } })).toEqual(refusal('not_found', 'no such job'));
    });
  });

  it('lists the commands that it has started and that run', async () => {
    const others = [job({ job_id: 'f'.repeat(32), state: 'running' }), job()];
    jobs.listJobs.mockResolvedValue([...others, job({ state: 'running', command: 'sleep 9' })]);
    expect(await unary('List', {})).toEqual([
      200,
      { processes: [{ pid: 42, config: { cmd: '/bin/bash', args: ['-l', '-c', 'sleep 9'] } }] },
    ]);
    expect(jobs.listJobs).toHaveBeenCalledWith(alice, ID, anySignal);
  });

  const process = { pid: 42 };
  const jobId = `0000002a${'0'.repeat(24)}`;
  const terminal = { user: alice, sessionId: ID, terminal: `0000002b${'0'.repeat(24)}` };

  it('writes input in pieces, and again when the process has not read yet', async () => {
    jobs.writeInput.mockRejectedValueOnce(new SandboxError(ErrorCode.JOB_STDIN_FULL, 'Full.'));
    const input = Buffer.alloc(100_000, 'a');
    expect(await unary('SendInput', { process, input: { stdin: input.toString('base64') } })).toEqual([200, {}]);
    const pieces = jobs.writeInput.mock.calls.map(([, , , piece]) => (piece as Buffer).length);
    expect(pieces).toEqual([65_536, 65_536, 34_464]);
    expect(jobs.writeInput).toHaveBeenCalledWith(alice, ID, jobId, expect.any(Buffer), false, anySignal);
    expect(await unary('SendInput', { process: { pid: 43 }, input: { pty: b64('ls\n') } })).toEqual([200, {}]);
    expect(terminals.writeInput).toHaveBeenCalledWith(terminal, Buffer.from('ls\n'), anySignal);
  });

  it('closes input', async () => {
    expect(await unary('CloseStdin', { process })).toEqual([200, {}]);
    expect(jobs.writeInput).toHaveBeenCalledWith(alice, ID, jobId, Buffer.alloc(0), true, anySignal);
    expect((await unary('CloseStdin', { process: { pid: 43 } }))[0]).toBe(400);
  });

  it('sends signals', async () => {
    expect(await unary('SendSignal', { process, signal: 'SIGNAL_SIGKILL' })).toEqual([200, {}]);
    expect(jobs.sendSignal).toHaveBeenCalledWith(alice, ID, jobId, 'SIGKILL', anySignal);
    expect(await unary('SendSignal', { process: { pid: 43 }, signal: 'SIGNAL_SIGTERM' })).toEqual([200, {}]);
    expect(terminals.sendSignal).toHaveBeenCalledWith(terminal, 'SIGTERM', anySignal);
  });

  it('resizes terminals', async () => {
    expect(await unary('Update', { process: { pid: 43 }, pty: { size: { cols: 100, rows: 30 } } })).toEqual([200, {}]);
    expect(terminals.resizeTerminal).toHaveBeenCalledWith(terminal, { cols: 100, rows: 30 }, anySignal);
    expect((await unary('Update', { process, pty: { size: { cols: 100, rows: 30 } } }))[0]).toBe(400);
  });

  it('answers not_found when a process has ended', async () => {
    jobs.sendSignal.mockRejectedValue(new SandboxError(ErrorCode.JOB_ENDED, 'The job has ended.'));
    expect(await unary('SendSignal', { process, signal: 'SIGNAL_SIGKILL' })).toEqual([
      404,
      { code: 'not_found', message: 'The job has ended.' },
    ]);
  });

  it.each<[string, object]>([
    ['List', { more: 1 }],
    ['SendInput', { process, input: { stdin: 'no base64' } }],
    ['SendInput', { process, input: { stdin: '', pty: '' } }],
    ['SendInput', { process, input: [] }],
    ['SendSignal', { process, signal: 'SIGNAL_SIGINT' }],
    ['SendSignal', { process, signal: 9 }],
    ['SendSignal', { process }],
    ['CloseStdin', {}],
    ['Update', { process: { pid: 43 } }],
  ])('refuses %s of %j', async (method, message) => {
    expect(await unary(method, message)).toEqual([400, { code: 'invalid_argument', message: expect.any(String) }]);
  });
});
