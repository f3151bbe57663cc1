import { randomBytes } from 'node:crypto';
import { Cluster, REPLICATED } from '../support/service/cluster';
import { type Client } from '../support/service/service';

jest.setTimeout(180_000);

const LIMIT = 1024 * 1024;
const HOSTILE_NAMES = [
  'plain.txt',
  'with space',
  ' leading and trailing ',
  '-rf',
  '--help',
  '$(id)',
  '`id`',
  '"double"',
  "it's",
  'new\nline',
  'tab\tbed',
  'back\\slash',
  '*',
  '?[a]{b,c}',
  '~',
  '...',
  '#hash?&=%25',
  '%2e%2e',
  'é€😀',
  'e\u0301',
  '\u202egnp.exe',
  '\x01\x1b[31m',
  'x'.repeat(255),
];

interface Entry {
  name: string;
  type: string;
  size: number;
  modified: string;
}

async function put(
  client: Client,
  session: string,
  path: string,
  bytes: Buffer | string,
  headers: Record<string, string> = {},
): Promise<number> {
  const url = client.workspace(session, path, true);
  const { status } = await client.request('PUT', url, undefined, {
    body: bytes as RequestInit['body'],
    headers: { 'Content-Type': 'application/octet-stream', ...headers },
  });
  return status;
}

async function raw(
  client: Client,
  session: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ response: Response; bytes: Buffer }> {
  const url = client.workspace(session, path, true);
  const response = await client.send('GET', url, { headers: { Accept: 'application/octet-stream', ...headers } });
  return { response, bytes: Buffer.from(await response.arrayBuffer()) };
}

describe('The service, for the workspace', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED);
  });
  afterAll(() => cluster?.stop());

  const list = async (session: string, path?: string): Promise<Entry[]> => {
    const { status, body } = await cluster.alice.request<{ entries: Entry[] }>('GET', cluster.alice.workspace(session, path));
    expect(status).toBe(200);
    return body.entries;
  };
  const content = (session: string, path: string) =>
    cluster.alice.request<{ content: string; encoding: string; code?: string }>('GET', cluster.alice.workspace(session, path, true));

  it('creates parents when it writes, and then reads, lists and deletes', async () => {
    expect(await put(cluster.alice, 'basic', 'a/b/c.txt', 'hello')).toBe(204);
    expect((await content('basic', 'a/b/c.txt')).body).toEqual({ content: 'hello', encoding: 'utf8' });
    expect((await content('basic', '/workspace/a/./b/../b/c.txt')).body.content).toBe('hello');
    await cluster.alice.run('basic', 'ln -s a link; mkfifo pipe; printf 12345 > B; touch Z a.txt');
    const entries = await list('basic');
    expect(entries.map(({ name, type }) => [name, type])).toEqual([
      ['B', 'file'],
      ['Z', 'file'],
      ['a', 'dir'],
      ['a.txt', 'file'],
      ['link', 'symlink'],
      ['pipe', 'other'],
    ]);
    expect(entries[0]).toMatchObject({ size: 5, modified: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) });
    expect((await list('basic', 'a')).map((entry) => entry.name)).toEqual(['b']);
    const remove = (path: string) => cluster.alice.request('DELETE', cluster.alice.workspace('basic', path));
    expect((await remove('a')).status).toBe(204);
    expect(await remove('a')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await list('basic')).map((entry) => entry.name)).not.toContain('a');
  });

  it('keeps a name byte for byte when it is hostile', async () => {
    for (const [index, name] of HOSTILE_NAMES.entries()) {
      expect([name, await put(cluster.alice, 'names', name, `content ${index}`)]).toEqual([name, 204]);
    }
    expect((await list('names')).map((entry) => entry.name).sort()).toEqual([...HOSTILE_NAMES].sort());
    for (const [index, name] of HOSTILE_NAMES.entries()) expect((await content('names', name)).body.content).toBe(`content ${index}`);
    for (const name of HOSTILE_NAMES) {
      expect((await cluster.alice.request('DELETE', cluster.alice.workspace('names', name))).status).toBe(204);
    }
    expect(await list('names')).toEqual([]);
  });

  it.each(['..', '../x', 'a/../../x', '/..', 'a\0b', 'x'.repeat(4097)])('refuses a path when it is %j', async (path) => {
    for (const [method, url] of [
      ['GET', cluster.alice.workspace('paths', path)],
      ['GET', cluster.alice.workspace('paths', path, true)],
      ['PUT', cluster.alice.workspace('paths', path, true)],
      ['DELETE', cluster.alice.workspace('paths', path)],
    ] as const) {
      expect(await cluster.alice.request(method, url)).toMatchObject({ status: 400, body: { code: 'INVALID_PATH' } });
    }
  });

  it('keeps content exactly when it is binary, in every form', async () => {
    const bytes = randomBytes(300_000);
    expect(await put(cluster.alice, 'binary', 'f', bytes)).toBe(204);
    const { body } = await content('binary', 'f');
    expect(body.encoding).toBe('base64');
    expect(Buffer.from(body.content, 'base64').equals(bytes)).toBe(true);
    expect((await raw(cluster.alice, 'binary', 'f')).bytes.equals(bytes)).toBe(true);
    const url = cluster.alice.workspace('binary', 'g', true);
    expect((await cluster.alice.request('PUT', url, { content: bytes.toString('base64'), encoding: 'base64' })).status).toBe(204);
    expect((await raw(cluster.alice, 'binary', 'g')).bytes.equals(bytes)).toBe(true);
    expect((await cluster.alice.request('PUT', url, { content: 'é' })).status).toBe(204);
    expect((await content('binary', 'g')).body).toEqual({ content: 'é', encoding: 'utf8' });
    expect(await put(cluster.alice, 'binary', 'empty', '')).toBe(204);
    expect((await content('binary', 'empty')).body).toEqual({ content: '', encoding: 'utf8' });
  });

  it('answers a part of a file when Range asks for one', async () => {
    await put(cluster.alice, 'range', 'f', '0123456789');
    const range = async (value: string): Promise<[number, string, string | null]> => {
      const { response, bytes } = await raw(cluster.alice, 'range', 'f', { Range: value });
      return [response.status, response.status === 206 ? bytes.toString() : '', response.headers.get('content-range')];
    };
    expect(await range('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await range('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await range('bytes=7-100')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await range('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await range('bytes=-100')).toEqual([206, '0123456789', 'bytes 0-9/10']);
    expect((await range('bytes=10-'))[0]).toBe(416);
    expect((await raw(cluster.alice, 'range', 'f', { Range: 'lines=1-2' })).response.status).toBe(200);
  });

  it('stores a file when it comes as a multipart upload', async () => {
    const upload = async (name: string, query = '', more = {}): Promise<{ status: number; body: Record<string, unknown> }> => {
      const form = new FormData();
      form.append('file', new Blob(['uploaded']), name);
      const response = await cluster.alice.send('POST', `/sessions/up/workspace/upload${query}`, { headers: more, body: form });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    expect(await upload('a.txt')).toEqual({ status: 201, body: { path: 'a.txt', session_id: 'up', size: 8 } });
    expect(await upload('../../etc/passwd')).toMatchObject({ status: 201, body: { path: 'passwd' } });
    expect(await upload('x', `?path=${encodeURIComponent('d/e f')}`)).toMatchObject({ status: 201, body: { path: 'd/e f' } });
    expect((await content('up', 'd/e f')).body.content).toBe('uploaded');
    expect(await upload('a.txt', '', { 'If-None-Match': '*' })).toMatchObject({ status: 412, body: { code: 'PRECONDITION_FAILED' } });
    expect(await upload('b.txt', '', { 'If-None-Match': '*' })).toMatchObject({ status: 201 });
    expect(await upload('x', '?path=..')).toMatchObject({ status: 400, body: { code: 'INVALID_PATH' } });
  });

  it('refuses a file when it is over the limit, and takes it at the limit', async () => {
    expect(await put(cluster.alice, 'size', 'f', Buffer.alloc(LIMIT, 'a'))).toBe(204);
    expect(await put(cluster.alice, 'size', 'f', Buffer.alloc(LIMIT + 1, 'b'))).toBe(413);
    // The length of this body is not known in advance. So the service counts as it reads.
    const stream = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 20; i++) controller.enqueue(new Uint8Array(100_000));
        controller.close();
      },
    });
    const headers = { 'Content-Type': 'application/octet-stream' };
    const streamed = await cluster.alice.send('PUT', cluster.alice.workspace('size', 'f', true), { headers, body: stream });
    expect(streamed.status).toBe(413);
    expect((await raw(cluster.alice, 'size', 'f')).bytes.equals(Buffer.alloc(LIMIT, 'a'))).toBe(true);
    await cluster.alice.run('size', 'head -c 1048577 /dev/zero > big; head -c 1048576 /dev/zero > just');
    expect(await content('size', 'big')).toMatchObject({ status: 413, body: { code: 'FILE_TOO_LARGE' } });
    expect((await raw(cluster.alice, 'size', 'big')).bytes.length).toBe(LIMIT + 1);
    expect((await raw(cluster.alice, 'size', 'just')).bytes.length).toBe(LIMIT);
    const names = (await list('size')).map((entry) => entry.name);
    expect(names).toEqual(['big', 'f', 'just']);
  });

  it('refuses a path at once when it is no regular file', async () => {
    await cluster.alice.run(
      'types',
      'mkfifo pipe; mkdir dir; echo x > file; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\'sock\')"',
    );
    for (const name of ['pipe', 'sock']) {
      expect(await content('types', name)).toMatchObject({ status: 409, body: { code: 'NOT_A_REGULAR_FILE' } });
      expect(await put(cluster.alice, 'types', name, 'x')).toBe(409);
    }
    expect(await content('types', 'dir')).toMatchObject({ status: 409, body: { code: 'IS_A_DIRECTORY' } });
    expect(await put(cluster.alice, 'types', 'dir', 'x')).toBe(409);
    expect(await cluster.alice.request('GET', cluster.alice.workspace('types', 'file'))).toMatchObject({
      status: 409,
      body: { code: 'NOT_A_DIRECTORY' },
    });
    expect(await content('types', 'file/x')).toMatchObject({ status: 409, body: { code: 'NOT_A_DIRECTORY' } });
    await cluster.alice.run('types', 'echo x > unreadable; chmod 0 unreadable');
    expect(await content('types', 'unreadable')).toMatchObject({ status: 403, body: { code: 'PERMISSION_DENIED' } });
    expect(await content('types', 'none')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await cluster.alice.request('GET', cluster.alice.workspace('types', 'none'))).status).toBe(404);
    for (const root of ['', '/', '.']) {
      expect((await cluster.alice.request('DELETE', cluster.alice.workspace('types', root))).status).toBe(400);
      expect(await put(cluster.alice, 'types', root, 'x')).toBe(400);
    }
  });

  it('follows a link only when it stays inside', async () => {
    await cluster.alice.run(
      'links',
      'mkdir -p dir; echo inside > dir/f; ln -s dir/f in; ln -s /workspace/dir abs; ln -s /etc etc; ln -s ../etc/passwd up; ln -s /etc/passwd pw; ln -s loop loop; ln -s /tmp/new dangling; mkdir -p /tmp/out; echo secret > /tmp/out/s; ln -s /tmp/out out; ln -s ../../../proc/self/environ deep',
    );
    expect((await content('links', 'in')).body.content).toBe('inside\n');
    expect((await content('links', 'abs/f')).body.content).toBe('inside\n');
    for (const path of ['etc/passwd', 'up', 'pw', 'out/s', 'deep']) {
      expect([path, (await content('links', path)).status]).toEqual([path, 403]);
      expect([path, await put(cluster.alice, 'links', path, 'x')]).toEqual([path, 403]);
    }
    expect(await put(cluster.alice, 'links', 'out/new', 'x')).toBe(403);
    expect(await put(cluster.alice, 'links', 'dangling', 'x')).toBe(403);
    expect((await cluster.alice.request('GET', cluster.alice.workspace('links', 'etc'))).status).toBe(403);
    expect((await cluster.alice.request('DELETE', cluster.alice.workspace('links', 'out/s'))).status).toBe(403);
    expect((await content('links', 'loop')).status).toBeGreaterThanOrEqual(400);
    // Only the link itself is deleted, not what it leads to.
    expect((await cluster.alice.request('DELETE', cluster.alice.workspace('links', 'out'))).status).toBe(204);
    expect((await cluster.alice.run('links', 'cat /tmp/out/s; ls /tmp')).stdout).toBe('secret\nout\n');
  });

  it('deletes a directory whole when it has links, odd modes and depth', async () => {
    await cluster.alice.run(
      'tree',
      'mkdir -p t/a t/b; touch t/a/f; ln -s /tmp t/link; chmod 000 t/a; echo keep > /tmp/keep; cd t/b; i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done',
    );
    expect((await cluster.alice.request('DELETE', cluster.alice.workspace('tree', 't'))).status).toBe(204);
    expect((await cluster.alice.run('tree', 'ls -A; cat /tmp/keep')).stdout).toBe('keep\n');
  });

  it('writes nothing outside when a link is swapped in during the call', async () => {
    await cluster.alice.run(
      'swap',
      'mkdir -p /tmp/out real; (while :; do mkdir d 2>/dev/null; mv d real/$$ 2>/dev/null; ln -s /tmp/out d; rm -rf d real/$$; done) >/dev/null 2>&1 &',
    );
    const outcomes: Record<number, number> = {};
    for (let batch = 0; batch < 200; batch++) {
      const statuses = await Promise.all(Array.from({ length: 10 }, (_, i) => put(cluster.alice, 'swap', `d/f${batch * 10 + i}`, 'x')));
      for (const status of statuses) outcomes[status] = (outcomes[status] ?? 0) + 1;
    }
    // Each answer fits what the call may have met, and both the directory and the link were met.
    expect(Object.keys(outcomes).filter((status) => !['204', '403', '404', '409'].includes(status))).toEqual([]);
    expect(outcomes[204]).toBeGreaterThan(0);
    expect(outcomes[403]).toBeGreaterThan(0);
    expect((await cluster.alice.run('swap', 'ls -A /tmp/out')).stdout).toBe('');
  });

  it('answers 507 and keeps the old file when the disk is full', async () => {
    await put(cluster.alice, 'full', 'old', 'old content');
    await cluster.alice.run('full', 'cat /dev/zero > filler 2>/dev/null');
    expect(await put(cluster.alice, 'full', 'old', Buffer.alloc(500_000, 'x'))).toBe(507);
    expect((await content('full', 'old')).body.content).toBe('old content');
    expect((await list('full')).map((entry) => entry.name)).toEqual(['filler', 'old']);
    await cluster.alice.run('full', 'rm filler');
    expect(await put(cluster.alice, 'full', 'old', 'new')).toBe(204);
  });

  it('shows the old file or the new one when a reader comes during a write', async () => {
    const versions = ['a', 'b'].map((letter) => Buffer.alloc(LIMIT, letter));
    await put(cluster.alice, 'atomic', 'f', versions[0]!);
    await cluster.alice.run('atomic', 'chmod 755 f');
    const reads = cluster.alice.run(
      'atomic',
      `python3 -c '
import time
seen, end = set(), time.time() + 4
while time.time() < end:
    data = open("f", "rb").read()
    seen.add((len(data), len(set(data))))
print(seen)'`,
    );
    for (let i = 0; i < 40; i++) expect(await put(cluster.alice, 'atomic', 'f', versions[i % 2]!)).toBe(204);
    expect((await reads).stdout).toBe(`{(${LIMIT}, 1)}\n`);
    expect((await cluster.alice.run('atomic', 'stat -c %a f')).stdout).toBe('755\n');
  });

  it('lists a directory when it is large', async () => {
    await cluster.alice.run('many', 'seq 1 3000 | xargs touch');
    expect(await list('many')).toHaveLength(3000);
  });
});
