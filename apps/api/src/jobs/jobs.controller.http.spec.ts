import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { JobByteWatcher, JobsService, OutputQuery } from '@sandbox/orchestrator';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const BYTES = 'application/octet-stream';
const JOB = { job_id: 'a', state: 'exited' };
const OUTPUT = { data: 'text', next_offset: 4, eof: true, gap: 0 };
const PATH = '/sessions/s/jobs/a/output';

type StreamOutput = JobsService['streamOutput'];

describe('GET /sessions/{id}/jobs/{job}/output', () => {
  let app: TestApp;
  const streamOutput = jest.fn<ReturnType<StreamOutput>, Parameters<StreamOutput>>();
  const jobs = {
    getJob: jest.fn(async () => JOB),
    readOutput: jest.fn(async () => OUTPUT),
    followOutput: jest.fn(async () => JOB),
    streamOutput,
  };

  beforeAll(async () => {
    app = await TestApp.start({ jobs: jobs as never });
  });
  afterAll(() => app.stop());
  beforeEach(() => {
    jest.clearAllMocks();
    streamOutput.mockImplementation(gives(0, Buffer.of(0xff, 0x00, 0x0a)));
  });

  /** Gives these bytes from the offset on. */
  const gives =
    (offset: number, ...chunks: Buffer[]): StreamOutput =>
    async (_user, _session, _job, _query, watcher) => {
      watcher.begin(offset);
      for (const chunk of chunks) await watcher.bytes(chunk);
    };
  const get = (headers: Record<string, string>, query = '', method = 'GET'): Promise<Response> =>
    app.fetch(`${PATH}${query}`, { method, headers });
  const asked = (): OutputQuery => ({ ...streamOutput.mock.calls[0]![3] });

  it.each([
    [BYTES, BYTES],
    [`${BYTES}, application/json;q=0.9`, BYTES],
    [`application/json;q=0.5, ${BYTES};q=0.6`, BYTES],
    [`text/event-stream;q=0.5, ${BYTES}`, BYTES],
    [`application/json, ${BYTES};q=0.9`, 'application/json; charset=utf-8'],
    [`${BYTES};q=0, */*`, 'application/json; charset=utf-8'],
    [`${BYTES};q=0.5, text/event-stream`, 'text/event-stream; charset=utf-8'],
    ['text/event-stream', 'text/event-stream; charset=utf-8'],
    ['text/*', 'text/event-stream; charset=utf-8'],
    ['application/*', 'application/json; charset=utf-8'],
    ['*/*', 'application/json; charset=utf-8'],
    ['text/html, */*;q=0.8', 'application/json; charset=utf-8'],
  ])('answers in the form that the client prefers when it accepts %s', async (accept, type) => {
    const response = await get({ Accept: accept });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
    await response.arrayBuffer();
  });

  it('answers 406 when the client accepts no form of it', async () => {
    const response = await get({ Accept: 'application/octetstream' });
    expect([response.status, await response.json()]).toEqual([406, expect.objectContaining({ code: 'NOT_ACCEPTABLE' })]);
  });

  it('sends the exact bytes and says where they begin', async () => {
    streamOutput.mockImplementation(gives(12, Buffer.of(0xff, 0x00), Buffer.of(0x0a)));
    const response = await get({ Accept: BYTES });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-output-offset': '12',
      'content-disposition': 'attachment',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.of(0xff, 0x00, 0x0a));
  });

  it('passes on which bytes the client asks for', async () => {
    await (await get({ Accept: BYTES })).arrayBuffer();
    expect(asked()).toEqual({});
    streamOutput.mockClear();
    await (await get({ Accept: BYTES }, '?stream=stderr&offset=7&limit=100&wait_seconds=0')).arrayBuffer();
    expect(asked()).toEqual({ stream: 'stderr', offset: 7, limit: 100, wait_seconds: 0 });
  });

  it.each(['stream=all', 'offset=-1', 'limit=1048577', 'wait_seconds=31', 'more=1', 'encoding=base64', 'encoding=utf8'])(
    'answers 422 when the query has %s',
    async (query) => {
      const response = await get({ Accept: BYTES }, `?${query}`);
      expect([response.status, await response.json()]).toEqual([
        422,
        expect.objectContaining({ code: 'VALIDATION_FAILED', errors: [expect.objectContaining({ field: query.split('=')[0] })] }),
      ]);
      expect(streamOutput).not.toHaveBeenCalled();
    },
  );

  it('sends the headers alone, and asks for no bytes, when the method is HEAD', async () => {
    streamOutput.mockImplementation(gives(12));
    const response = await get({ Accept: BYTES }, '?offset=12', 'HEAD');
    expect([response.status, response.headers.get('x-output-offset'), await response.text()]).toEqual([200, '12', '']);
    expect(asked()).toEqual({ offset: 12, limit: 0 });
  });

  it('answers a problem when nothing has been sent yet', async () => {
    streamOutput.mockRejectedValue(new SandboxError(ErrorCode.RANGE_NOT_SATISFIABLE, 'The bytes before offset 9 are dropped already.'));
    const response = await get({ Accept: BYTES }, '?offset=1');
    expect([response.status, response.headers.get('content-type')]).toEqual([416, 'application/problem+json']);
    expect(await response.json()).toMatchObject({ detail: 'The bytes before offset 9 are dropped already.' });
  });

  /** Makes a raw request, and collects all that comes. */
  async function raw(version: string): Promise<{ text: string; error?: string }> {
    const socket = connect(app.port, '127.0.0.1');
    socket.write(`GET ${PATH} HTTP/${version}\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nAccept: ${BYTES}\r\nConnection: close\r\n\r\n`);
    let text = '';
    let error: string | undefined;
    socket.on('data', (data) => (text += data.toString('latin1'))).on('error', (failure: NodeJS.ErrnoException) => (error = failure.code));
    await new Promise((resolve) => socket.on('close', resolve));
    return { text, error };
  }

  it.each([
    ['1.1', undefined],
    ['1.0', 'ECONNRESET'],
  ])('breaks the transfer off, so that a client of HTTP/%s sees it, when the bytes stop short', async (version, error) => {
    const broken: StreamOutput = async (_user, _session, _job, _query, watcher) => {
      watcher.begin(0);
      await watcher.bytes(Buffer.from('beginning'));
      await new Promise((resolve) => setTimeout(resolve, 100)); // until the client has it
      throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.');
    };
    streamOutput.mockImplementation(broken);
    const answer = await raw(version);
    expect(answer).toEqual({ text: expect.stringContaining('beginning'), error });
    expect(answer.text).not.toContain('0\r\n\r\n');
    streamOutput.mockImplementation(gives(0, Buffer.from('beginning')));
    const whole = await raw(version);
    expect(whole).toEqual({ text: expect.stringMatching(version === '1.1' ? /beginning\r\n0\r\n\r\n$/ : /beginning$/), error: undefined });
  });

  async function open(): Promise<IncomingMessage> {
    const sent = httpRequest({ host: '127.0.0.1', port: app.port, path: PATH, headers: { 'X-API-Key': API_KEY, Accept: BYTES } }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return response;
  }

  it('holds the bytes back while the client reads none, and goes on when it does', async () => {
    let given = 0;
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const total = 64 * 1024 * 1024;
    streamOutput.mockImplementation(async (_user, _session, _job, _query, watcher) => {
      watcher.begin(0);
      for (; given < total; given += chunk.length) await watcher.bytes(chunk);
    });
    const response = await open();
    for (let before = -1; before !== given;) {
      before = given;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(given).toBeLessThan(total / 2);
    let taken = 0;
    for await (const piece of response) taken += (piece as Buffer).length;
    expect(taken).toBe(total);
  });

  it('ends the call when the client goes away', async () => {
    let aborted!: (reason: unknown) => void;
    const gone = new Promise((resolve) => (aborted = resolve));
    streamOutput.mockImplementation(async (_user, _session, _job, _query, watcher: JobByteWatcher, signal) => {
      watcher.begin(0);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted('ended');
    });
    (await open()).destroy();
    expect(await gone).toBe('ended');
  });

  it('lets a job be silent for longer than a connection may be otherwise', async () => {
    let socket: Socket | undefined;
    let timeout: number | undefined;
    app.app.getHttpServer().once('request', (request: IncomingMessage) => (socket = request.socket));
    streamOutput.mockImplementation(async (_user, _session, _job, _query, watcher) => {
      watcher.begin(0);
      timeout = socket!.timeout;
    });
    await (await get({ Accept: BYTES })).arrayBuffer();
    expect(timeout).toBe(0);
  });
});

describe('GET /sessions/{id}/jobs/{job}', () => {
  let app: TestApp;
  const waitForJob = jest.fn<Promise<object>, unknown[]>(async () => JOB);

  beforeAll(async () => {
    app = await TestApp.start({ jobs: { waitForJob } as never });
  });
  afterAll(() => app.stop());
  beforeEach(() => waitForJob.mockClear());

  it.each([
    ['', 0],
    ['?wait_seconds=0', 0],
    ['?wait_seconds=30', 30],
  ])('waits as long as the query says when it is %j', async (query, seconds) => {
    const response = await app.fetch(`/sessions/s/jobs/a${query}`);
    expect([response.status, await response.json()]).toEqual([200, JOB]);
    expect(waitForJob.mock.calls).toEqual([[expect.anything(), 's', 'a', seconds, expect.any(AbortSignal)]]);
  });

  it.each(['wait_seconds=31', 'wait_seconds=-1', 'wait_seconds=1.5', 'wait_seconds=', 'wait=1'])(
    'answers 422 when the query has %s',
    async (query) => {
      const response = await app.fetch(`/sessions/s/jobs/a?${query}`);
      const field = query.split('=')[0];
      expect([response.status, await response.json()]).toMatchObject([422, { code: 'VALIDATION_FAILED', errors: [{ field }] }]);
      expect(waitForJob).not.toHaveBeenCalled();
    },
  );
});
