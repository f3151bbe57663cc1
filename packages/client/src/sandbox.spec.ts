import { ConflictError, IdempotencyError, InvalidArgumentError } from './errors.ts';
import { Sandbox } from './sandbox.ts';

/** One request as it was sent. */
interface Sent {
  method: string;
  path: string;
  key: string | null;
  body: Record<string, unknown> | undefined;
}

/** A server that gives each answer once: a body, an error's status and code, or a failure. */
function server(...answers: readonly (object | string | [status: number, code: string] | Error)[]) {
  const sent: Sent[] = [];
  const left = [...answers];
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const request = new Request(url, init);
    const { pathname, search } = new URL(url);
    const text = await request.text();
    sent.push({
      method: request.method,
      path: pathname + search,
      key: request.headers.get('idempotency-key'),
      body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>),
    });
    const answer = left.shift();
    if (answer instanceof Error) throw answer;
    if (answer instanceof Response) return answer;
    if (Array.isArray(answer)) {
      const [status, code] = answer as [number, string];
      return Response.json({ status, code, detail: 'No.' }, { status });
    }
    return typeof answer === 'string' ? new Response(answer) : Response.json(answer);
  };
  return { sent, options: { url: 'http://sandbox.test', apiKey: 'k', fetch } };
}

const RESET = new TypeError('reset');
const UUID = /^"[0-9a-f-]{36}"$/;

describe('A call that runs something', () => {
  it('has a key of its own, the same for each attempt, when it may be made again', async () => {
    const { sent, options } = server(RESET, { job_id: 'j' }, RESET, { session_id: 's' });
    expect((await Sandbox.of('s', options).jobs.start('make')).jobId).toBe('j');
    await Sandbox.create({ ...options, sandboxId: 's' });
    expect(sent.map(({ path }) => path)).toEqual(['/sessions/s/jobs', '/sessions/s/jobs', '/sessions', '/sessions']);
    expect(sent.map(({ key }) => key)).toEqual([expect.stringMatching(UUID), sent[0]!.key, expect.stringMatching(UUID), sent[2]!.key]);
    expect(sent[0]!.key).not.toBe(sent[2]!.key);
  });

  it('has no key when it is a command, or when nothing is to be retried', async () => {
    const { sent, options } = server({}, {}, {});
    await Sandbox.of('s', options).commands.run('make');
    await Sandbox.of('s', { ...options, retries: 0 }).jobs.start('make');
    await Sandbox.create({ ...options, retries: 0 });
    expect(sent.map(({ key }) => key)).toEqual([null, null, null]);
  });

  it('has the caller’s key when there is one', async () => {
    const { sent, options } = server(RESET, {}, {}, {});
    const more = { idempotencyKey: 'a "b" \\' };
    await Sandbox.of('s', options).commands.run('make', more);
    await Sandbox.of('s', { ...options, retries: 0 }).jobs.start('make', more);
    const sandbox = await Sandbox.create({ ...options, ...more });
    expect(sent.map(({ key }) => key)).toEqual(Array.from({ length: 4 }, () => '"a \\"b\\" \\\\"'));
    // Another name would make it another call.
    expect([sandbox.sandboxId, sent[3]!.body]).toEqual(['a "b" \\', { session_id: 'a "b" \\' }]);
  });

  it('says which kind of error a key has', async () => {
    const codes: [number, string][] = [
      [409, 'IDEMPOTENCY_UNKNOWN'],
      [409, 'IDEMPOTENCY_ANSWER_NOT_KEPT'],
      [422, 'IDEMPOTENCY_KEY_REUSED'],
      [409, 'SESSION_OPTIONS_DIFFER'],
    ];
    const { options } = server(...codes);
    const calls = codes.map(() => Sandbox.create({ ...options, idempotencyKey: 'a' }).catch((error: unknown) => error));
    const errors = await Promise.all(calls);
    expect(errors.map((error) => error instanceof IdempotencyError)).toEqual([true, true, true, false]);
    expect(errors[3]).toBeInstanceOf(ConflictError);
  });

  it('lets the API refuse a key for output as it comes', async () => {
    const { sent, options } = server([400, 'BAD_REQUEST']);
    const call = Sandbox.of('s', options).commands.run('make', { idempotencyKey: 'a', onStdout: () => undefined });
    await expect(call).rejects.toThrow(InvalidArgumentError);
    expect(sent[0]!.key).toBe('"a"');
  });
});

describe('job.wait', () => {
  it('asks again until the job has ended, also when the connection breaks', async () => {
    const { sent, options } = server({ state: 'running' }, RESET, { state: 'running' }, { state: 'exited', exit_code: 3 });
    const job = Sandbox.of('a/b', { ...options, retries: 0 }).jobs.get('j');
    expect(await job.wait()).toEqual({ state: 'exited', exitCode: 3 });
    expect(sent.map(({ path }) => path)).toEqual(Array.from({ length: 4 }, () => '/sessions/a%2Fb/jobs/j?wait_seconds=30'));
  });

  it('ends with the error of the API', async () => {
    const { options } = server([404, 'JOB_NOT_FOUND']);
    await expect(Sandbox.of('s', options).jobs.get('j').wait()).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
  });
});

describe('An answer that breaks off', () => {
  const broken = (): Response => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"jobs": [')),
      pull: (controller) => controller.error(new TypeError('terminated')),
    });
    return new Response(body, { headers: { 'Content-Type': 'application/json' } });
  };

  it('is asked for again when that is safe, and else is a ConnectionError', async () => {
    const { sent, options } = server(broken(), { jobs: [] }, broken());
    const { jobs, commands } = Sandbox.of('s', options);
    expect(await jobs.list()).toEqual([]);
    await expect(commands.run('make')).rejects.toMatchObject({ name: 'ConnectionError', cause: expect.any(TypeError) });
    expect(sent).toHaveLength(3);
  });
});

describe('policy.check', () => {
  it('asks about a live sandbox', async () => {
    const { sent, options } = server({ allowed: false, word: 'x', similar: [] });
    const answer = await Sandbox.of('s', options).policy.check('x', { envs: { A_B: 'c' }, shell: 'bash' });
    expect([answer, sent[0]!.body]).toEqual([
      { allowed: false, word: 'x', similar: [] },
      { command: 'x', env: { A_B: 'c' }, shell: 'bash', session_id: 's' },
    ]);
  });

  it('asks about a new sandbox when none of this name lives', async () => {
    const { sent, options } = server([404, 'SESSION_NOT_FOUND'], { allowed: true });
    expect(await Sandbox.of('s', options).policy.check('ls')).toEqual({ allowed: true });
    expect(sent.map(({ body }) => body)).toEqual([{ command: 'ls', session_id: 's' }, { command: 'ls' }]);
  });
});

describe('files.watch', () => {
  const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

  it('tells changes by their own type', async () => {
    const change = event('change', { type: 'rename', path: 'b', is_dir: false, from: 'a' });
    const answer = event('ready', {}) + change + event('lost', { reason: 'overflow' }) + event('end', { reason: 'directory_gone' });
    const { sent, options } = server(answer);
    const told: object[] = [];
    for await (const each of Sandbox.of('s', options).files.watch('d', { recursive: true })) told.push(each);
    expect(told).toEqual([
      { type: 'ready' },
      { type: 'rename', path: 'b', isDir: false, from: 'a' },
      { type: 'lost', reason: 'overflow' },
      { type: 'end', reason: 'directory_gone' },
    ]);
    expect(sent[0]!.path).toBe('/sessions/s/workspace/watch?path=d&recursive=true');
  });

  it('fails when the connection breaks', async () => {
    const { options } = server(event('ready', {}));
    const watch = Sandbox.of('s', options).files.watch();
    expect(await watch.next()).toEqual({ done: false, value: { type: 'ready' } });
    await expect(watch.next()).rejects.toMatchObject({ name: 'ConnectionError' });
  });
});

it('Sandbox.capabilities tells what can be done', async () => {
  const { sent, options } = server({ image: { name: 'a' }, commands: { max_timeout: 1 } }, {});
  expect(await Sandbox.capabilities({ ...options, image: 'a:1' })).toEqual({ image: { name: 'a' }, commands: { maxTimeout: 1 } });
  await Sandbox.capabilities(options);
  expect(sent.map(({ path }) => path)).toEqual(['/capabilities?image=a%3A1', '/capabilities']);
});
