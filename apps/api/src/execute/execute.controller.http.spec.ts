import { once } from 'node:events';
import { connect } from 'node:net';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { ExecuteCommand, ExecuteResult } from '@sandbox/orchestrator';
import { userFromApiKey, type User } from '@sandbox/sessions';
import { refusedFields } from '../../../../test/support/refused-fields';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const RESULT: ExecuteResult = {
  stdout: 'out',
  stderr: '',
  exit_code: 0,
  execution_time: 0.001,
  container_id: '0123456789ab',
  timed_out: false,
  truncated: false,
  oom_killed: false,
  session_created: false,
  session_restarted: false,
};
const COMMAND = { command: 'id', session_id: 's' };

describe('POST /execute', () => {
  let app: TestApp;
  const execute = jest.fn<Promise<ExecuteResult>, [User, ExecuteCommand, AbortSignal]>();

  beforeAll(async () => {
    app = await TestApp.start({ commands: { execute: execute as never } });
  });
  beforeEach(() => execute.mockReset().mockResolvedValue(RESULT));
  afterAll(() => app.stop());

  const post = async (
    body: unknown,
  ): Promise<{ status: number; body: { errors?: { field: string }[]; code?: string; detail?: string } }> => {
    const response = await app.json('POST', '/execute', body);
    return { status: response.status, body: (await response.json()) as Record<string, never> };
  };

  it('answers 200 with the result when the command was run for the user', async () => {
    const command = {
      command: 'cat',
      session_id: 'a/b 😀',
      timeout: 2.5,
      working_dir: 'sub',
      env: { A: '1', constructor: 'x', toString: 'y' },
      stdin: 'text\0',
      encoding: 'base64',
      shell: 'bash',
    };
    expect(await post(command)).toEqual({ status: 200, body: RESULT });
    const [user, passed] = execute.mock.calls[0]!;
    expect(user).toMatchObject(userFromApiKey(API_KEY));
    expect({ ...passed }).toEqual(command);
  });

  it.each([
    ['command', { ...COMMAND, command: 'x'.repeat(32_000) }],
    ['command of characters outside the BMP', { ...COMMAND, command: '😀'.repeat(32_000) }],
    ['session id', { ...COMMAND, session_id: '😀'.repeat(256) }],
    ['session id of any text', { ...COMMAND, session_id: '\0\n../%2e' }],
    ['working_dir', { ...COMMAND, working_dir: 'x'.repeat(512) }],
    ['env entries', { ...COMMAND, env: Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`V${i}`, ''])) }],
    ['env bytes', { ...COMMAND, env: { A: 'x'.repeat(32 * 1024 - 1) } }],
    ['stdin', { ...COMMAND, stdin: 'x'.repeat(1024 * 1024) }],
    ['timeout', { ...COMMAND, timeout: 1 }],
  ])('takes a body when it is at the limit: %s', async (_name, body) => {
    expect((await post(body)).status).toBe(200);
  });

  it.each<[string, string, unknown]>([
    ['command missing', 'command', { session_id: 's' }],
    ['command empty', 'command', { ...COMMAND, command: '' }],
    ['command too long', 'command', { ...COMMAND, command: 'x'.repeat(32_001) }],
    ['command with NUL', 'command', { ...COMMAND, command: 'a\0b' }],
    ['command with a lone surrogate', 'command', { ...COMMAND, command: 'a\ud800' }],
    ['command no string', 'command', { ...COMMAND, command: ['id'] }],
    ['session id empty', 'session_id', { ...COMMAND, session_id: '' }],
    ['session id too long', 'session_id', { ...COMMAND, session_id: '😀'.repeat(257) }],
    ['session id a number', 'session_id', { ...COMMAND, session_id: 5 }],
    ['session id with a lone surrogate', 'session_id', { ...COMMAND, session_id: '\udc00' }],
    ['timeout as text', 'timeout', { ...COMMAND, timeout: '5' }],
    ['timeout too short', 'timeout', { ...COMMAND, timeout: 0.9 }],
    ['timeout null', 'timeout', { ...COMMAND, timeout: null }],
    ['timeout true', 'timeout', { ...COMMAND, timeout: true }],
    ['working_dir too long', 'working_dir', { ...COMMAND, working_dir: 'x'.repeat(513) }],
    ['env a list', 'env', { ...COMMAND, env: ['A=1'] }],
    ['env value a number', 'env', { ...COMMAND, env: { A: 1 } }],
    ['env value with NUL', 'env', { ...COMMAND, env: { A: '\0' } }],
    ['env name with =', 'env', { ...COMMAND, env: { 'A=B': '' } }],
    ['env name empty', 'env', { ...COMMAND, env: { '': 'x' } }],
    ['env name beginning with a digit', 'env', { ...COMMAND, env: { '1A': 'x' } }],
    ['env with too many entries', 'env', { ...COMMAND, env: Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`V${i}`, ''])) }],
    ['env with too many bytes', 'env', { ...COMMAND, env: { A: 'x'.repeat(32 * 1024) } }],
    ['stdin too long', 'stdin', { ...COMMAND, stdin: 'é'.repeat(512 * 1024) + 'x' }],
    ['encoding', 'encoding', { ...COMMAND, encoding: 'latin1' }],
    ['shell', 'shell', { ...COMMAND, shell: 'zsh' }],
    ['unknown field', 'user', { ...COMMAND, user: 'root' }],
    ['unknown field named constructor', 'constructor', { ...COMMAND, constructor: {} }],
    ['unknown field named toString', 'toString', { ...COMMAND, toString: 'x' }],
    ['body a list', '', [COMMAND]],
    ['body a string', '', 'text'],
    ['body null', '', null],
  ])('answers 422 when a field is wrong: %s', async (_name, field, body) => {
    const answer = await post(body);
    expect(answer).toMatchObject({ status: 422, body: { code: 'VALIDATION_FAILED', errors: [{ field }] } });
    expect(execute).not.toHaveBeenCalled();
  });

  it('answers 422 when the body holds __proto__', async () => {
    const response = await app.fetch('/execute', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"command":"id","session_id":"s","__proto__":{"timeout":5}}',
    });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ field: '__proto__' }] });
  });

  it('names every bad field, and no value, when several are wrong', async () => {
    const { body } = await post({ command: '', session_id: 7, env: { A: 'secret\0' } });
    expect(body.errors?.map((error) => error.field).sort()).toEqual(['command', 'env', 'session_id']);
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('answers 422 when the body is missing', async () => {
    expect(await refusedFields(await app.fetch('/execute', { method: 'POST' }))).toEqual(['session_id', 'command']);
  });

  it.each([
    ['{"command":', 400],
    ['', 422],
    ['\ufeff{}', 400],
    ['{"command": "\xff"}', 400],
    ['['.repeat(10_000) + ']'.repeat(10_000), 400],
    ['{"command":"id","session_id":"s","env":' + '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000) + '}', 400],
  ])('answers a client error when the body is broken: %.20s', async (text, status) => {
    const response = await app.fetch('/execute', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: Buffer.from(text, text.includes('\xff') ? 'latin1' : 'utf8'),
    });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
  });

  it.each([
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/json; charset=latin1', 415],
    ['application/json; charset=UTF-8', 200],
    ['application/json;charset="utf-8"', 200],
    ['application/jsonp', 415],
  ])('takes or refuses a body when its type is %s: %i', async (type, status) => {
    const response = await app.fetch('/execute', { method: 'POST', headers: { 'Content-Type': type }, body: JSON.stringify(COMMAND) });
    const { code } = (await response.json()) as { code?: string };
    expect([response.status, code]).toEqual([status, status === 415 ? 'UNSUPPORTED_MEDIA_TYPE' : undefined]);
  });

  it('answers 415 when the body is compressed', async () => {
    const response = await app.json('POST', '/execute', COMMAND, { 'Content-Encoding': 'gzip' });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it('answers 413 when the body is one byte over 2 MiB, declared or chunked', async () => {
    const body = (size: number): string => JSON.stringify(COMMAND).padEnd(size);
    const limit = 2 * 1024 * 1024;
    const send = (text: string, chunked: boolean): Promise<Response> =>
      app.fetch('/execute', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        ...(chunked ? { body: new Blob([text]).stream(), duplex: 'half' as const } : { body: text }),
      });
    for (const chunked of [false, true]) {
      expect((await send(body(limit), chunked)).status).toBe(200);
      const refused = await send(body(limit + 1), chunked);
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    }
  });

  it('answers 422 when there is a query parameter', async () => {
    expect(await refusedFields(await app.json('POST', '/execute?timeout=5', COMMAND))).toEqual(['timeout']);
  });

  it('answers a problem document when the orchestrator throws', async () => {
    execute.mockRejectedValue(
      new SandboxError(ErrorCode.COMMAND_NOT_ALLOWED, 'rm is not on the list.', { extensions: { word: 'rm' }, cause: new Error('inner') }),
    );
    const response = await app.json('POST', '/execute', COMMAND, { 'X-Request-Id': 'my-id' });
    expect(response.headers.get('x-request-id')).toBe('my-id');
    expect(await response.json()).toEqual({
      type: 'urn:sandbox-api:error:COMMAND_NOT_ALLOWED',
      title: 'Command not allowed',
      status: 400,
      detail: 'rm is not on the list.',
      code: 'COMMAND_NOT_ALLOWED',
      request_id: 'my-id',
      word: 'rm',
    });
  });

  it('sends Retry-After when the error has one', async () => {
    execute.mockRejectedValue(new SandboxError(ErrorCode.RUNTIME_UNAVAILABLE, 'Away.', { retryAfter: 1.2 }));
    const response = await app.json('POST', '/execute', COMMAND);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
  });

  it('logs an unexpected error and shows nothing of it when one is thrown', async () => {
    execute.mockRejectedValue(new Error('connect ENOENT /var/run/docker.sock'));
    const response = await app.json('POST', '/execute', COMMAND, { 'X-Request-Id': 'seen-in-the-log' });
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(text).not.toContain('docker.sock');
    const line = app.log.find((entry) => entry.includes('docker.sock'))!;
    expect(line).toContain('seen-in-the-log');
  });

  it('aborts the command when its client goes away', async () => {
    let signal: AbortSignal | undefined;
    const started = new Promise<void>((resolve) =>
      execute.mockImplementation((_user, _command, given) => {
        signal = given;
        resolve();
        return new Promise(() => undefined);
      }),
    );
    const body = JSON.stringify(COMMAND);
    const socket = connect(app.port, '127.0.0.1');
    socket.write(
      `POST /execute HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await started;
    expect(signal!.aborted).toBe(false);
    socket.destroy();
    await once(signal!, 'abort');
  });

  it('leaves the signal alone when the answer is out', async () => {
    await post(COMMAND);
    const signal = execute.mock.calls[0]![2];
    await post(COMMAND);
    expect(signal.aborted).toBe(false);
  });
});
