import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Cluster, REPLICATED } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import { type Client } from '../support/service/service';
import { entriesOf, tar, type TarEntry } from '../support/service/tar';

jest.setTimeout(240_000);

const MIB = 1024 * 1024;
const LIMIT = 48 * MIB;
const MAX_ENTRIES = 20_000;

interface Unpacked {
  entries?: number;
  size?: number;
  code?: string;
  detail?: string;
}

const archiveUrl = (session: string, path?: string, gzip?: boolean): string => {
  const query = new URLSearchParams({ ...(path !== undefined && { path }), ...(gzip && { gzip: 'true' }) }).toString();
  return `/sessions/${encodeURIComponent(session)}/workspace/archive${query && `?${query}`}`;
};

function put(client: Client, session: string, archive: Buffer, path?: string): Promise<{ status: number; body: Unpacked }> {
  return client.request<Unpacked>('PUT', archiveUrl(session, path), undefined, {
    body: archive as RequestInit['body'],
    headers: { 'Content-Type': 'application/x-tar' },
  });
}

async function get(client: Client, session: string, path?: string, gzip?: boolean): Promise<{ response: Response; bytes: Buffer }> {
  const response = await client.send('GET', archiveUrl(session, path, gzip));
  return { response, bytes: Buffer.from(await response.arrayBuffer()) };
}

/** Ten thousand files in a hundred directories. No two have the same name or content. */
function manyFiles(): TarEntry[] {
  const entries: TarEntry[] = [];
  for (let directory = 0; directory < 100; directory++) {
    entries.push({ name: `d${directory}/`, type: '5' });
    for (let file = 0; file < 100; file++) {
      const content = createHash('sha256').update(`${directory}/${file}`).digest();
      entries.push({ name: `d${directory}/é ${file}`, content: content.subarray(0, file % 33), mtime: 1_000_000_000 + file });
    }
  }
  return entries;
}

const file = (name: string, content: string | Buffer = 'x'): TarEntry => ({ name, content: Buffer.from(content) });

const REFUSED: [what: string, entries: TarEntry[], more?: Buffer][] = [
  ['an absolute name', [file('good'), file('/etc/passwd')]],
  ['a name with ..', [file('good'), file('a/../../x')]],
  ['an absolute link', [file('good'), { name: 'l', type: '2', link: '/etc' }]],
  ['a link that leads up', [file('good'), { name: 'a/l', type: '2', link: '../../x' }]],
  ['a link through a link', [file('good'), { name: 'a/b/s', type: '2', link: '../..' }, { name: 'l', type: '2', link: 'a/b/s/../x' }]],
  ['a file through its own link', [{ name: 'd', type: '2', link: '.' }, file('d/x')]],
  ['a hard link to a file outside', [file('good'), { name: 'h', type: '1', link: 'present' }]],
  ['a hard link to /etc/passwd', [file('good'), { name: 'h', type: '1', link: '/etc/passwd' }]],
  ['a device', [file('good'), { name: 'null', type: '3' }]],
  ['a FIFO', [file('good'), { name: 'pipe', type: '6' }]],
  ['a sparse file', [file('good'), { name: 'sparse', type: 'S' }]],
  ['a sparse file of pax', [file('good'), { name: 'p', type: 'x', content: Buffer.from('22 GNU.sparse.major=1\n') }, file('s')]],
  ['an unknown type', [file('good'), { name: 'v', type: 'V' }]],
];

describe('The service, for archives', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED, { ARCHIVE_MAX_BYTES: String(LIMIT), ARCHIVE_MAX_ENTRIES: String(MAX_ENTRIES) });
  });
  afterAll(() => cluster?.stop());

  const names = async (session: string): Promise<string> => (await cluster.alice.run(session, 'find . -mindepth 1 | sort')).stdout;

  it('unpacks and packs a tree unchanged when it has 10,000 files', async () => {
    const entries = manyFiles();
    const size = entries.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
    const answer = await put(cluster.alice, 'many', tar(entries), 'into/here');
    expect(answer).toMatchObject({ status: 200, body: { entries: 10_100, size } });
    const { stdout } = await cluster.alice.run('many', 'find into/here -type f | wc -l; ls -A');
    expect(stdout).toBe('10000\ninto\n');
    const seen = (out: Buffer): Map<string, string> =>
      new Map(
        entriesOf(out).map(({ name, type, content, mtime }) => [name, `${type} ${type === '5' ? '' : mtime} ${content.toString('hex')}`]),
      );
    const sent = seen(tar(entries));
    const { response, bytes } = await get(cluster.alice, 'many', 'into/here');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-tar']);
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="here.tar"');
    expect(seen(bytes)).toEqual(sent);
    const compressed = await get(cluster.alice, 'many', 'into/here', true);
    expect(compressed.response.headers.get('content-type')).toBe('application/gzip');
    expect(gunzipSync(compressed.bytes).equals(bytes)).toBe(true);
    // An archive from a download can be uploaded as it is, still compressed.
    expect((await put(cluster.alice, 'many2', compressed.bytes)).status).toBe(200);
    expect((await get(cluster.alice, 'many2')).bytes.equals(bytes)).toBe(true);
  });

  it('agrees with tar(1) when names are odd, in both directions', async () => {
    const make = String.raw`mkdir -p t/deep/er t/empty; cd t; printf 'a\nb' > "$(printf 'new\nline')"; printf x > "$(printf 'latin\351')"; printf y > -rf
      printf z > é😀; printf w > "$(printf 'n%.0s' $(seq 200))"; printf v > "deep/er/$(printf 'l%.0s' $(seq 250))"; head -c 300001 /dev/urandom > big
      ln -s deep/er link; ln -s "$(printf 'n%.0s' $(seq 200))" deep-link; chmod 751 big; touch -d @1234567890 big deep/er`;
    await cluster.alice.run('tar', `bash -c ${JSON.stringify(make).replaceAll('$', '\\$')}`);
    const digest = (directory: string): string =>
      `cd ${directory} && (find . -printf '%P %y %m %s %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; stat -c %Y big deep/er)`;
    const { stdout: expected } = await cluster.alice.run('tar', `${digest('t')} | grep -v '^ d'`);
    const ours = await get(cluster.alice, 'tar', 't');
    await cluster.alice.request('PUT', cluster.alice.workspace('tar', 'ours.tar', true), undefined, {
      body: ours.bytes as RequestInit['body'],
      headers: { 'Content-Type': 'application/octet-stream' },
    });
    const { stdout: byTar } = await cluster.alice.run('tar', `mkdir x && tar -xf ours.tar -C x && ${digest('x')} | grep -v '^ d'`);
    expect(byTar).toBe(expected);
    for (const format of ['gnu', 'pax', 'ustar --exclude=?????????????????????????????????????????????????????????????????????*']) {
      const { stdout: theirs } = await cluster.alice.run('tar', `tar --format=${format} -cf - -C t . | gzip | base64 -w0`);
      expect((await put(cluster.alice, 'tar', Buffer.from(theirs, 'base64'), `y-${format.slice(0, 4)}`)).status).toBe(200);
    }
    for (const format of ['gnu', 'pax']) {
      expect((await cluster.alice.run('tar', `${digest(`y-${format}`)} | grep -v '^ d'`)).stdout).toBe(expected);
    }
  });

  it.each(REFUSED)('refuses an archive, and leaves nothing behind, when it has %s', async (_what, entries) => {
    await cluster.alice.run('refused', 'mkdir -p there; printf 1 > there/present; printf 1 > present');
    const before = await names('refused');
    for (const archive of [tar(entries), gzipSync(tar(entries))]) {
      for (const path of [undefined, 'there', 'not/there']) {
        const { status, body } = await put(cluster.alice, 'refused', archive, path);
        expect([status, body.code, body.detail]).toEqual([400, 'ARCHIVE_REFUSED', expect.stringMatching(/^The archive .+\.$/)]);
      }
    }
    expect(await names('refused')).toBe(before);
  });

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('no archive at all'.repeat(100))],
    ['an archive without its end', tar([file('a')]).subarray(0, 1024)],
    ['an archive cut in a file', tar([file('a', 'x'.repeat(9000))]).subarray(0, 4096)],
    ['a gzip that is cut', gzipSync(tar([file('a', randomBytes(9000))])).subarray(0, 4096)],
    ['a gzip that is damaged', Buffer.concat([gzipSync(tar([file('a')])).subarray(0, 40), randomBytes(60)])],
    ['an archive with more behind its end', Buffer.concat([tar([file('a')]), tar([file('b')])])],
  ])('refuses an archive when it is %s', async (_what, archive) => {
    expect(await put(cluster.alice, 'malformed', archive)).toMatchObject({ status: 400, body: { code: 'ARCHIVE_REFUSED' } });
    expect(await names('malformed')).toBe('');
  });

  it('drops setuid bits and owners when an archive has some', async () => {
    expect(
      (
        await put(
          cluster.alice,
          'bits',
          tar([
            { ...file('s'), mode: 0o6755 },
            { name: 'd/', type: '5', mode: 0o1000 },
          ]),
        )
      ).status,
    ).toBe(200);
    expect((await cluster.alice.run('bits', 'stat -c "%a %u" s d')).stdout).toBe('755 1000\n700 1000\n');
  });

  it('joins trees when an archive meets files, and moves nothing when a file meets a directory', async () => {
    await cluster.alice.run('merge', 'mkdir -p a/b; printf old > a/b/f; printf kept > a/b/g; mkdir -p c/f; ln -s a link');
    expect((await put(cluster.alice, 'merge', tar([file('a/b/f', 'new'), file('a/n', 'n'), file('link', 'l')]))).status).toBe(200);
    expect((await cluster.alice.run('merge', 'cat a/b/f a/b/g a/n; stat -c %F link')).stdout).toBe('newkeptnregular file\n');
    const before = await names('merge');
    expect(await put(cluster.alice, 'merge', tar([file('b'), file('c/f')]))).toMatchObject({
      status: 409,
      body: { code: 'IS_A_DIRECTORY' },
    });
    expect(await put(cluster.alice, 'merge', tar([file('b'), file('a/n/x')]))).toMatchObject({
      status: 409,
      body: { code: 'NOT_A_DIRECTORY' },
    });
    expect(await put(cluster.alice, 'merge', tar([file('b')]), 'a/n')).toMatchObject({ status: 409, body: { code: 'NOT_A_DIRECTORY' } });
    expect(await names('merge')).toBe(before);
  });

  it('leaves nothing behind when an archive passes a limit, as a gzip bomb does', async () => {
    const bomb = gzipSync(tar([file('zeros', Buffer.alloc(LIMIT)), file('one more')]));
    expect(bomb.length).toBeLessThan(LIMIT / 100);
    expect(await put(cluster.alice, 'limits', bomb)).toMatchObject({ status: 413, body: { code: 'FILE_TOO_LARGE' } });
    const many = tar(Array.from({ length: MAX_ENTRIES + 1 }, (_, index) => file(`f${index}`, '')));
    expect(await put(cluster.alice, 'limits', many)).toMatchObject({ status: 413, body: { code: 'FILE_TOO_LARGE' } });
    expect(await names('limits')).toBe('');
    await cluster.alice.run('limits', `truncate -s ${LIMIT + 1} big`);
    const { response, bytes } = await get(cluster.alice, 'limits');
    expect([response.status, JSON.parse(bytes.toString()).code]).toEqual([413, 'FILE_TOO_LARGE']);
  });

  it('answers 507, and leaves nothing behind, when the disk is full', async () => {
    await cluster.alice.run('full', 'printf old > f; head -c 110M /dev/zero > fill');
    const archive = tar([file('f', 'new'), file('more', randomBytes(30 * MIB))]);
    expect(await put(cluster.alice, 'full', archive)).toMatchObject({ status: 507, body: { code: 'STORAGE_FULL' } });
    expect((await cluster.alice.run('full', 'cat f; ls -A')).stdout).toBe('oldf\nfill\n');
    await cluster.alice.run('full', 'rm fill');
    expect((await put(cluster.alice, 'full', archive)).status).toBe(200);
  });

  it('leaves nothing behind when an upload breaks off', async () => {
    await cluster.alice.run('cut', 'true');
    const archive = tar([file('a', randomBytes(100_000)), file('b', randomBytes(1_000_000))]);
    const { url, headers } = cluster.alice;
    const upload = httpRequest(url + archiveUrl('cut'), {
      method: 'PUT',
      headers: { ...headers, 'Content-Type': 'application/x-tar', 'Content-Length': archive.length },
    });
    upload.on('error', () => undefined);
    upload.write(archive.subarray(0, 500_000));
    await eventually('the first file is being unpacked', async () => (await names('cut')).includes('/a'));
    upload.destroy();
    await eventually('it is all gone', async () => (await names('cut')) === '');
  });

  it('ends a download when its client goes away', async () => {
    await cluster.alice.run('gone', 'head -c 40M /dev/urandom > big');
    const gone = new AbortController();
    const response = await cluster.alice.send('GET', archiveUrl('gone'), { signal: gone.signal });
    await response.body!.getReader().read();
    gone.abort();
    // The agent serves 64 calls at once: more than that many ended ones leave room for another.
    for (let round = 0; round < 70; round++) {
      const again = new AbortController();
      const next = await cluster.alice.send('GET', archiveUrl('gone'), { signal: again.signal });
      expect(next.status).toBe(200);
      again.abort();
    }
    expect((await put(cluster.alice, 'gone', tar([file('small')]))).status).toBe(200);
  });

  it('follows no link out when one is planted or swapped in during the call', async () => {
    await cluster.alice.run('links', 'ln -s /tmp out; ln -s /etc etc; mkdir in');
    for (const path of ['out', 'out/x', 'etc']) {
      expect(await put(cluster.alice, 'links', tar([file('planted')]), path)).toMatchObject({
        status: 403,
        body: { code: 'PATH_OUTSIDE_WORKSPACE' },
      });
      expect((await get(cluster.alice, 'links', path)).response.status).toBe(403);
    }
    // Whatever directory appears in a staging directory, or at the target, is replaced by a link to
    // /tmp, again and again.
    const swap =
      'while [ ! -e stop ]; do for d in .sandbox-tmp-*/d* in; do mv "$d" "aside.$$" 2>/dev/null && ln -sfn /tmp "$d"; rm -f "$d"; mv "aside.$$" "$d"; done; done 2>/dev/null';
    await cluster.alice.run('links', `(${swap}) >/dev/null 2>&1 &`);
    const entries = Array.from({ length: 2_000 }, (_, index) => file(`d${index % 7}/e/planted${index}`));
    // A command that plays with the directories makes calls fail in many ways. Each failure is an
    // error of its kind, and no link is followed.
    const failures: unknown[] = [];
    for (let round = 0; round < 12; round++) {
      const answer = await put(cluster.alice, 'links', tar(entries), 'in/deep');
      if (answer.status !== 200) failures.push((answer.body as { code?: unknown }).code);
      const got = await get(cluster.alice, 'links', 'in').catch(() => null);
      // A failure after the first bytes cuts the download short: its status is 200 already.
      if (got !== null && got.response.status !== 200) failures.push((JSON.parse(got.bytes.toString()) as { code?: unknown }).code);
    }
    await cluster.alice.run('links', 'touch stop');
    expect(failures).toEqual(failures.map(() => expect.stringMatching(/^[A-Z_]+$/)));
    expect((await cluster.alice.run('links', 'find /tmp -name "planted*" -o -name e; ls -A /tmp')).stdout).toBe('');
  });

  it('logs one line, without content, when an archive is packed or unpacked', async () => {
    await put(cluster.alice, 'audit', tar([file('secret-name', 'secret-content')]), 'audited-path');
    await get(cluster.alice, 'audit', 'audited-path');
    const ops = (): string[] =>
      cluster.services
        .flatMap(({ child }) => child.output.split('\n'))
        .filter((line) => line.includes('audited-path') && line.includes('"audit":true'))
        .map((line) => (JSON.parse(line) as { op: string }).op);
    await eventually('both lines are there', async () => ops().length >= 2);
    expect(ops().sort()).toEqual(['workspace_pack', 'workspace_unpack']);
    expect(cluster.services.every(({ child }) => !/secret-(name|content)/.test(child.output))).toBe(true);
  });
});
