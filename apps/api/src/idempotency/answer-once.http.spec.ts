import { once } from 'node:events';
import { connect } from 'node:net';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { MAX_ANSWER_BYTES, SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const BOB = 'key-of-bob-0123456789';
const COMMAND = { session_id: 's', command: 'id' };
const RESULT = { stdout: 'out é\n', exit_code: 0 };

type Work = jest.Mock<Promise<unknown>, unknown[]>;

describe('A request with an Idempotency-Key', () => {
  let app: TestApp;
  const execute: Work = jest.fn();
  const startJob: Work = jest.fn();
  const createSession: Work = jest.fn();
  let count = 0;
  let key: string;

  const routes: [route: string, path: string, body: object, status: number, work: Work][] = [
    ['execute', '/execute', COMMAND, 200, execute],
    ['jobs', '/sessions/s/jobs', { command: 'id' }, 201, startJob],
    ['sessions', '/sessions', { session_id: 's' }, 200, createSession],
  ];

  beforeAll(async () => {
    app = await TestApp.start(
      {
        commands: { execute: execute as never, stream: execute as never },
        jobs: { startJob: startJob as never },
        sessions: { createSession: createSession as never },
      },
      { API_KEYS: `${API_KEY},${BOB}` },
    );
  });
  beforeEach(() => {
    for (const work of [execute, startJob, createSession]) work.mockReset().mockResolvedValue(RESULT);
    key = `"key ${count++}"`;
  });
  afterAll(() => app.stop());

  const send = async (path: string, body: object, headers: Record<string, string> = { 'Idempotency-Key': key }) => {
    const response = await app.json('POST', path, body, headers);
    const text = await response.text();
    const told = ['content-type', 'idempotency-replayed', 'retry-after'].map((name) => response.headers.get(name));
    return { status: response.status, text, told, code: (JSON.parse(text) as { code?: string }).code };
  };
  const run = (headers?: Record<string, string>, body: object = COMMAND) => send('/execute', body, headers);

  it.each(routes)('is run once and answered as often as it comes, by POST /%s', async (_route, path, body, status, work) => {
    const first = await send(path, body);
    expect(first).toEqual({ status, text: JSON.stringify(RESULT), told: ['application/json; charset=utf-8', null, null], code: undefined });
    // The order of members and blanks are no part of a request.
    const again = await send(path, Object.fromEntries(Object.entries(body).toReversed()));
    expect(again).toEqual({ ...first, told: ['application/json; charset=utf-8', 'true', null] });
    expect(work).toHaveBeenCalledTimes(1);
  });

  it.each(routes)('is run each time when it has no key, by POST /%s', async (_route, path, body, _status, work) => {
    const claim = jest.spyOn(app.app.get<SessionStore>(SESSION_STORE), 'claimRequest');
    for (const _ of [1, 2]) expect((await send(path, body, {})).told[1]).toBeNull();
    expect([work.mock.calls.length, claim.mock.calls.length]).toEqual([2, 0]);
  });

  it('answers 422 and runs nothing when another request comes with its key', async () => {
    await run();
    for (const other of [
      { ...COMMAND, command: 'rm x' },
      { ...COMMAND, timeout: 5 },
    ])
      expect(await run(undefined, other)).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    await send('/sessions/s/jobs', { command: 'id' });
    expect(await send('/sessions/other/jobs', { command: 'id' })).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    expect([execute.mock.calls.length, startJob.mock.calls.length]).toEqual([1, 1]);
  });

  it('answers 409 with Retry-After while it runs, and runs once when many come at once', async () => {
    let end!: (result: object) => void;
    execute.mockReturnValue(new Promise((resolve) => (end = resolve)));
    const all = Array.from({ length: 10 }, () => run());
    const refused = await new Promise<Awaited<ReturnType<typeof run>>[]>((resolve) => {
      const answers: Awaited<ReturnType<typeof run>>[] = [];
      for (const each of all) void each.then((answer) => answers.push(answer) === 9 && resolve(answers));
    });
    for (const answer of refused)
      expect(answer).toMatchObject({ status: 409, code: 'IDEMPOTENCY_RUNNING', told: [expect.any(String), null, '1'] });
    end(RESULT);
    const statuses = (await Promise.all(all)).map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
    expect(await run()).toMatchObject({ status: 200, text: JSON.stringify(RESULT) });
    expect(execute).toHaveBeenCalledTimes(1);
  });

  it('goes on when its client goes away, and gives its answer to the next', async () => {
    let signal: unknown;
    let end!: (result: object) => void;
    const began = new Promise<void>((begin) =>
      execute.mockImplementation((_user, _command, given) => {
        signal = given;
        begin();
        return new Promise((resolve) => (end = resolve));
      }),
    );
    const body = JSON.stringify(COMMAND);
    const socket = connect(app.port, '127.0.0.1');
    socket.write(
      `POST /execute HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nIdempotency-Key: ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await began;
    socket.destroy();
    await once(socket, 'close');
    expect(signal).toBeUndefined();
    expect(await run()).toMatchObject({ status: 409 });
    end(RESULT);
    let answer = await run();
    while (answer.status === 409) answer = await run();
    expect(answer).toMatchObject({ status: 200, text: JSON.stringify(RESULT), told: [expect.any(String), 'true', null] });
    expect(execute).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['COMMAND_NOT_ALLOWED', 400],
    ['VALIDATION_FAILED', 422],
    ['TOO_MANY_COMMANDS', 429],
    ['RUNTIME_UNAVAILABLE', 503],
    ['STORE_UNAVAILABLE', 503],
  ] as const)('may be run again when it failed with %s', async (code, status) => {
    execute.mockRejectedValueOnce(new SandboxError(ErrorCode[code], 'Not now.', { retryAfter: 3 }));
    expect(await run()).toMatchObject({ status, code, told: ['application/problem+json', null, '3'] });
    expect(await run()).toMatchObject({ status: 200, told: [expect.any(String), null, null] });
    expect(execute).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['SANDBOX_LOST', new SandboxError(ErrorCode.SANDBOX_LOST, 'It is gone.'), 502],
    ['SANDBOX_UNRESPONSIVE', new SandboxError(ErrorCode.SANDBOX_UNRESPONSIVE, 'Silent.'), 503],
    ['INTERNAL_ERROR', new Error('connect ENOENT'), 500],
  ] as const)('is answered the same again when it may have run and failed with %s', async (code, error, status) => {
    execute.mockRejectedValueOnce(error);
    const first = await run();
    expect(first).toMatchObject({ status, code, told: ['application/problem+json', null, null] });
    expect(await run()).toEqual({ ...first, told: ['application/problem+json', 'true', null] });
    expect(execute).toHaveBeenCalledTimes(1);
  });

  it('keeps nothing of a body that breaks its schema', async () => {
    expect(await run(undefined, { ...COMMAND, no_such_field: 1 })).toMatchObject({ status: 422, code: 'VALIDATION_FAILED' });
    expect(await run()).toMatchObject({ status: 200, told: [expect.any(String), null, null] });
  });

  it('says that its answer is not kept when that is too long, and runs nothing', async () => {
    execute.mockResolvedValue({ stdout: 'x'.repeat(MAX_ANSWER_BYTES) });
    expect((await run()).status).toBe(200);
    expect(await run()).toMatchObject({ status: 409, code: 'IDEMPOTENCY_ANSWER_NOT_KEPT', told: ['application/problem+json', null, null] });
    expect(execute).toHaveBeenCalledTimes(1);
  });

  it('belongs to its user', async () => {
    await run();
    const { url } = app;
    const bob = await fetch(`${url}/execute`, {
      method: 'POST',
      headers: { 'X-API-Key': BOB, 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body: JSON.stringify({ ...COMMAND, command: 'whoami' }),
    });
    expect([bob.status, bob.headers.get('idempotency-replayed')]).toEqual([200, null]);
    expect(execute).toHaveBeenCalledTimes(2);
  });

  it('is answered although the answer could not be stored', async () => {
    const store = app.app.get<SessionStore>(SESSION_STORE);
    jest.spyOn(store, 'answerRequest').mockRejectedValueOnce(new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'Away.'));
    expect(await run()).toMatchObject({ status: 200, text: JSON.stringify(RESULT) });
    expect(await run()).toMatchObject({ status: 409, code: 'IDEMPOTENCY_RUNNING' });
  });

  it('is not run when the store cannot claim it', async () => {
    const store = app.app.get<SessionStore>(SESSION_STORE);
    jest.spyOn(store, 'claimRequest').mockRejectedValueOnce(new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'Away.', { retryAfter: 2 }));
    expect(await run()).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE', told: [expect.any(String), null, '2'] });
    expect(execute).not.toHaveBeenCalled();
  });

  it('is refused when it asks for a stream', async () => {
    const answer = await run({ 'Idempotency-Key': key, Accept: 'text/event-stream' });
    expect(answer).toMatchObject({ status: 400, code: 'BAD_REQUEST', text: expect.stringContaining('Start a job') });
    expect(execute).not.toHaveBeenCalled();
  });

  it.each(['""', '"', '"a', 'a b', 'a,b', '"a", "b"', '"é"', `"${'x'.repeat(256)}"`, '"a";b=1', '"a\\b"', ''])(
    'is refused when the key is %j',
    async (bad) => {
      const answer = await run({ 'Idempotency-Key': bad });
      expect(answer).toMatchObject({ status: 400, code: 'BAD_REQUEST', text: expect.stringContaining('double quotes') });
      expect(execute).not.toHaveBeenCalled();
    },
  );

  it('has the same key with and without quotes', async () => {
    await run({ 'Idempotency-Key': '"8e03978e-40d5-43e8-bc93-6894a57f9324"' });
    expect((await run({ 'Idempotency-Key': '8e03978e-40d5-43e8-bc93-6894a57f9324' })).told[1]).toBe('true');
    await run({ 'Idempotency-Key': `"${'\\"\\\\'.repeat(100)}"` });
    expect(execute).toHaveBeenCalledTimes(2);
  });
});

describe('A request with an Idempotency-Key that is over its budget', () => {
  it('is answered 429, neither run nor replayed', async () => {
    const execute = jest.fn(async () => RESULT);
    const app = await TestApp.start({ commands: { execute: execute as never } }, { RATE_LIMIT_REQUESTS: '2' });
    const post = async (key: string): Promise<number> => (await app.json('POST', '/execute', COMMAND, { 'Idempotency-Key': key })).status;
    expect([await post('a'), await post('a'), await post('a'), await post('b')]).toEqual([200, 200, 429, 429]);
    expect(execute).toHaveBeenCalledTimes(1);
    await app.stop();
  });
});
