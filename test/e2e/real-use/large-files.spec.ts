import { createHash } from 'node:crypto';
import { Tools } from '../../support/service/mcp';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, type Answer, type Client, Service } from '../../support/service/service';
import { entriesOf, tar } from '../../support/service/tar';

jest.setTimeout(180_000);

const BYTES = 'application/octet-stream';
/**
 * Output of `seq 1 400000`: 2,688,895 bytes, over the default of WORKSPACE_MAX_FILE_SIZE_BYTES.
 */
const LOG = Array.from({ length: 400_000 }, (_, index) => `${index + 1}\n`).join('');
const OTHER_WAYS =
  'Ask for some of its lines (start_line, end_line) or bytes (Range: bytes=0-99999), for all of it with Accept: application/octet-stream, or for a tar of it (GET …/workspace/archive?path=).';

const deployment = new TestDeployment();
let service: Service;
let alice: Client;
let etag: string;

beforeAll(async () => {
  service = await Service.start({ deployment });
  alice = service.client(ALICE);
  await alice.run(
    'large',
    'seq 1 400000 > app.log; truncate -s 1T huge; printf "\\nlast line\\n" >> huge; printf "%2000000d" 7 > one-line',
  );
  etag = (await ask('HEAD', 'app.log', { Accept: BYTES })).headers.get('etag')!;
});

afterAll(async () => {
  await service?.stop();
  await deployment.removeAll();
});

const ask = (method: string, query: string, headers: Record<string, string> = {}): Promise<Response> =>
  alice.send(method, `/sessions/large/workspace/content?path=${query}`, { headers });

/** `<tag>` in a header stands for the file's entity tag. */
type Row = [what: string, query: string, headers: Record<string, string>, status: number, range: string | null, body: unknown];

/**
 * The body of an answer. For a long body, its length and hash, which can be compared and printed.
 */
const brief = (text: string): string => (text.length < 1000 ? text : `${text.length} ${createHash('sha256').update(text).digest('hex')}`);

const READS: Row[] = [
  ['lines', 'app.log&start_line=399999', {}, 200, null, { content: '399999\n400000\n', encoding: 'utf8' }],
  ['lines, as bytes', 'app.log&start_line=7&end_line=8', { Accept: BYTES }, 200, null, '7\n8\n'],
  ['lines of more than JSON holds, as bytes', 'app.log&start_line=2', { Accept: BYTES }, 200, null, brief(LOG.slice(2))],
  ['a range', 'app.log', { Accept: BYTES, Range: 'bytes=2-3' }, 206, 'bytes 2-3/2688895', '2\n'],
  ['a range, as curl -r asks for it', 'app.log', { Accept: '*/*', Range: 'bytes=2-3' }, 206, 'bytes 2-3/2688895', '2\n'],
  [
    'a range, as JSON',
    'app.log',
    { Accept: 'application/json', Range: 'bytes=-7' },
    206,
    'bytes 2688888-2688894/2688895',
    { content: '400000\n', encoding: 'utf8' },
  ],
  ['a range of 2 MB', 'app.log', { Range: 'bytes=688895-' }, 206, 'bytes 688895-2688894/2688895', brief(LOG.slice(688_895))],
  ['a range that If-Range names', 'app.log', { Range: 'bytes=0-1', 'If-Range': '<tag>' }, 206, 'bytes 0-1/2688895', '1\n'],
  ['the whole if If-Range names another', 'app.log', { Range: 'bytes=0-1', 'If-Range': '"1.2.3.4"' }, 200, null, brief(LOG)],
  ['the whole, as bytes', 'app.log', { Accept: BYTES }, 200, null, brief(LOG)],
  ['the end of 1 TiB', 'huge', { Range: 'bytes=-10' }, 206, 'bytes 1099511627777-1099511627786/1099511627787', 'last line\n'],
];

const FAILURES: [what: string, query: string, headers: Record<string, string>, status: number, code: string, detail: string][] = [
  [
    'the whole, as JSON',
    'app.log',
    {},
    413,
    'FILE_TOO_LARGE',
    `The file has 2688895 bytes, and this answer holds 1048576 at most. ${OTHER_WAYS}`,
  ],
  [
    'a range of 2 MB, as JSON',
    'app.log',
    { Accept: 'application/json', Range: 'bytes=688895-' },
    413,
    'FILE_TOO_LARGE',
    `This part of the file has 2000000 bytes, and this answer holds 1048576 at most. ${OTHER_WAYS}`,
  ],
  [
    'lines of 2 MB, as JSON',
    'app.log&start_line=2',
    {},
    413,
    'FILE_TOO_LARGE',
    `These lines have more than 1048576 bytes: ask for fewer. ${OTHER_WAYS}`,
  ],
  [
    'one line of 2 MB, as JSON',
    'one-line&start_line=1&end_line=1',
    {},
    413,
    'FILE_TOO_LARGE',
    `These lines have more than 1048576 bytes: ask for fewer. ${OTHER_WAYS}`,
  ],
  [
    'a line of 1 TiB, as JSON',
    'huge&end_line=1',
    {},
    413,
    'FILE_TOO_LARGE',
    `These lines have more than 1048576 bytes: ask for fewer. ${OTHER_WAYS}`,
  ],
  ['a line it has not', 'app.log&start_line=400001', {}, 416, 'RANGE_NOT_SATISFIABLE', 'The file has fewer than 400001 lines.'],
  ['a range it has not', 'app.log', { Range: 'bytes=2688895-' }, 416, 'RANGE_NOT_SATISFIABLE', 'The file has 2688895 bytes.'],
];

describe('The service, for a file over WORKSPACE_MAX_FILE_SIZE_BYTES,', () => {
  it.each(READS)('sends %s when a read asks for it', async (_, query, headers, status, range, body) => {
    const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('<tag>', etag)]));
    const response = await ask('GET', query, sent);
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    expect([response.status, response.headers.get('content-range')]).toEqual([status, range]);
    expect(isJson ? await response.json() : brief(await response.text())).toEqual(body);
  });

  it.each(FAILURES)('says what to do instead when it refuses %s', async (_, query, headers, status, code, detail) => {
    const response = await ask('GET', query, headers);
    expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ code, detail })]);
  });

  it('answers HEAD with the size when no answer could hold the file', async () => {
    for (const [path, size] of [
      ['app.log', '2688895'],
      ['huge', '1099511627787'],
    ] as const) {
      const response = await ask('HEAD', path, { Accept: BYTES });
      expect([response.status, response.headers.get('content-length'), response.headers.get('accept-ranges')]).toEqual([
        200,
        size,
        'bytes',
      ]);
    }
  });
});

const OTHER_WAYS_IN =
  'Send it in a tar (PUT …/workspace/archive?path=DIRECTORY), or in pieces of up to 1 MiB, each as `stdin` of POST /execute with the command `cat >> FILE`, or `base64 -d >> FILE` for bytes that are no text.';
const PIECES =
  'Write it in pieces of up to 1 MiB, each as stdin of execute with the command `cat >> FILE`, or `base64 -d >> FILE` for bytes that are no text.';
const TOO_LARGE = { code: 'FILE_TOO_LARGE', detail: `The file is larger than 1048576 bytes. ${OTHER_WAYS_IN}` };
const BINARY = Buffer.from(Array.from({ length: 2_500_000 }, (_, index) => (index * 2654435761) >>> 24));

describe('The service, for content over WORKSPACE_MAX_FILE_SIZE_BYTES,', () => {
  const write = (body: Buffer | ReadableStream | FormData, call: string, type?: string): Promise<Answer> =>
    alice.request(type === undefined ? 'POST' : 'PUT', `/sessions/large/workspace${call}`, undefined, {
      body: body as RequestInit['body'],
      ...(type !== undefined && { headers: { 'Content-Type': type } }),
      ...({ duplex: 'half' } as object),
    });
  const sum = async (path: string): Promise<string> => (await alice.run('large', `sha256sum < ${path}`)).stdout.slice(0, 64);
  const expected = createHash('sha256').update(BINARY).digest('hex');

  it('names the other ways when it refuses a write of any form', async () => {
    const form = new FormData();
    form.append('file', new Blob([BINARY]), 'in.bin');
    for (const [body, call, type] of [
      [BINARY, '/content?path=in.bin', BYTES],
      [new Blob([BINARY]).stream(), '/content?path=in.bin', BYTES],
      [Buffer.from(JSON.stringify({ content: 'x'.repeat(1_048_577) })), '/content?path=in.bin', 'application/json'],
      [
        Buffer.from(JSON.stringify({ content: BINARY.toString('base64', 0, 1_048_578), encoding: 'base64' })),
        '/content?path=in.bin',
        'application/json',
      ],
      [form, '/upload', undefined],
    ] as const)
      expect(await write(body, call, type)).toMatchObject({ status: 413, body: TOO_LARGE });
    const json = Buffer.from(JSON.stringify({ content: 'x'.repeat(2_097_152) }));
    expect(await write(json, '/content?path=in.bin', 'application/json')).toMatchObject({
      status: 413,
      body: { code: 'PAYLOAD_TOO_LARGE', detail: `The body may have at most 2097152 bytes. ${OTHER_WAYS_IN}` },
    });
    expect((await alice.request('GET', '/sessions/large/workspace/stat?path=in.bin')).status).toBe(404);
  });

  it('stores it when it comes in an archive', async () => {
    const archive = tar([{ name: 'in.bin', content: BINARY }]);
    expect(await write(archive, '/archive?path=by/tar', 'application/x-tar')).toMatchObject({ status: 200, body: { entries: 1 } });
    expect(await sum('by/tar/in.bin')).toBe(expected);
  });

  it('stores it when it comes in pieces, as bytes or as text', async () => {
    for (let at = 0; at < BINARY.length; at += 750_000) {
      const stdin = BINARY.toString('base64', at, at + 750_000);
      expect(await alice.run('large', 'base64 -d >> pieces.bin', { stdin })).toMatchObject({ exit_code: 0 });
    }
    expect(await sum('pieces.bin')).toBe(expected);
    for (let at = 0; at < LOG.length; at += 1_048_576)
      await alice.run('large', 'cat >> pieces.txt', { stdin: LOG.slice(at, at + 1_048_576) });
    expect((await alice.run('large', 'cmp pieces.txt app.log && echo same')).stdout).toBe('same\n');
  });

  it('sends an archive of one file, and unpacks none over a file, when it is asked to', async () => {
    const response = await alice.send('GET', '/sessions/large/workspace/archive?path=by/tar/in.bin');
    expect([response.status, response.headers.get('content-disposition')]).toEqual([200, 'attachment; filename="in.bin.tar"']);
    const entries = entriesOf(Buffer.from(await response.arrayBuffer()));
    expect(entries.map(({ name, content }) => [name, content.equals(BINARY)])).toEqual([['in.bin', true]]);
    expect(await write(tar([]), '/archive?path=app.log', 'application/x-tar')).toMatchObject({
      status: 409,
      body: { code: 'NOT_A_DIRECTORY' },
    });
  });

  it('says how to change the file when it refuses an edit', async () => {
    const edits = [{ old: '399999', new: 'x' }];
    expect(await alice.request('POST', '/sessions/large/workspace/edit', { path: 'app.log', edits })).toMatchObject({
      status: 413,
      body: {
        code: 'FILE_TOO_LARGE',
        detail: 'The file is larger than 1048576 bytes. Change a larger file by a command, such as `sed -i` or a script.',
      },
    });
  });
});

describe('The service, for a write with a mode,', () => {
  let tools: Tools;
  beforeAll(async () => {
    tools = await Tools.connect(service, ALICE);
  });
  afterAll(() => tools?.close());

  const mode = async (path: string): Promise<string> => (await alice.run('large', `stat -c %a ${path}`)).stdout;
  const put = (query: string): Promise<Answer> =>
    alice.request('PUT', `/sessions/large/workspace/content?${query}`, undefined, { body: '#!/bin/sh\necho ran\n' });

  it('makes a program that runs, and keeps the mode when a later write has none', async () => {
    expect((await put('path=rest.sh&mode=755')).status).toBe(204);
    expect((await alice.run('large', './rest.sh')).stdout).toBe('ran\n');
    expect((await put('path=rest.sh')).status).toBe(204);
    expect(await mode('rest.sh')).toBe('755\n');
    expect((await put('path=rest.sh&mode=0640')).status).toBe(204);
    expect(await mode('rest.sh')).toBe('640\n');
    expect((await put('path=plain')).status).toBe(204);
    expect(await mode('plain')).toBe('644\n');
    const content = '#!/bin/sh\necho by a tool\n';
    await tools.call('workspace_write', { session_id: 'large', path: 'tool.sh', content, mode: '755' });
    expect((await alice.run('large', './tool.sh')).stdout).toBe('by a tool\n');
    const form = new FormData();
    form.append('file', new Blob([content]), 'up.sh');
    expect((await alice.request('POST', '/sessions/large/workspace/upload?mode=700', undefined, { body: form })).status).toBe(201);
    expect(await mode('up.sh')).toBe('700\n');
  });

  it.each(['4755', '0o755', '75', '888', 'u%2Bx', '', '-755', '00755'])('refuses the write when the mode is %j', async (bad) => {
    expect(await put(`path=never&mode=${bad}`)).toMatchObject({
      status: 422,
      body: {
        errors: [{ field: 'mode', message: 'must be three octal digits, such as "755"; setuid, setgid and sticky bits are not set' }],
      },
    });
  });

  it('says over MCP what else can be done when a file is too large', async () => {
    const text = await tools.text('workspace_write', { session_id: 'large', path: 'f', content: 'x'.repeat(1_048_577) });
    expect(text).toContain(`FILE_TOO_LARGE: The file is larger than 1048576 bytes. ${PIECES}`);
  });
});
