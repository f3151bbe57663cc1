import { createHash } from 'node:crypto';
import { ALICE, type Client, Service, TestDeployment } from '../support/service';

jest.setTimeout(180_000);

const BYTES = 'application/octet-stream';
/**
 * Of `seq 1 400000`, which is 2,688,895 bytes: more than WORKSPACE_MAX_FILE_SIZE_BYTES by default.
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
  fetch(`${alice.url}/sessions/large/workspace/content?path=${query}`, { method, headers: { ...alice.headers, ...headers } });

/** `<tag>` in a header stands for the file's entity tag. */
type Row = [what: string, query: string, headers: Record<string, string>, status: number, range: string | null, body: unknown];

/**
 * What an answer holds; of a long one its length and its hash, which can be compared and printed.
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

describe('A file over WORKSPACE_MAX_FILE_SIZE_BYTES', () => {
  it.each(READS)('gives %s', async (_, query, headers, status, range, body) => {
    const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('<tag>', etag)]));
    const response = await ask('GET', query, sent);
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    expect([response.status, response.headers.get('content-range')]).toEqual([status, range]);
    expect(isJson ? await response.json() : brief(await response.text())).toEqual(body);
  });

  it.each(FAILURES)('refuses %s, and says what to do instead', async (_, query, headers, status, code, detail) => {
    const response = await ask('GET', query, headers);
    expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ code, detail })]);
  });

  it('tells HEAD its size, even where no answer could hold it', async () => {
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
