import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { WorkspaceArchiveService } from '@sandbox/orchestrator';
import { refusedFields } from '../../../../test/support/refused-fields';
import { TestApp } from '../../../../test/support/test-app';

const URL = '/sessions/s/workspace/archive';

describe('the API at …/workspace/archive', () => {
  let app: TestApp;
  let pack: jest.MockedFunction<WorkspaceArchiveService['packArchive']>;
  let unpack: jest.MockedFunction<WorkspaceArchiveService['unpackArchive']>;
  const received: Buffer[] = [];

  beforeAll(async () => {
    pack = jest.fn();
    unpack = jest.fn();
    app = await TestApp.start({ archives: { packArchive: pack, unpackArchive: unpack } });
  });
  beforeEach(() => {
    received.length = 0;
    pack.mockReset().mockImplementation(async () => Readable.from([Buffer.from('the '), Buffer.from('tar')]));
    unpack.mockReset().mockImplementation(async (_user, _session, _path, archive) => {
      received.push(await buffer(archive));
      return { entries: 1, size: 2 };
    });
  });
  afterAll(() => app.stop());

  it.each([
    ['', '', false, 'application/x-tar', 'attachment; filename="workspace.tar"'],
    ['?path=a%2Fb', 'a/b', false, 'application/x-tar', 'attachment; filename="b.tar"'],
    ['?path=a%2F..', 'a/..', false, 'application/x-tar', 'attachment; filename="workspace.tar"'],
    ['?path=%2Fc%2F&gzip=true', '/c/', true, 'application/gzip', 'attachment; filename="c.tar.gz"'],
    ['?gzip=false', '', false, 'application/x-tar', 'attachment; filename="workspace.tar"'],
    [
      '?path=%C3%A9%22%0A',
      'é"\n',
      false,
      'application/x-tar',
      expect.stringMatching(/^attachment; filename="é\\"\?\.tar"; filename\*=UTF-8''%C3%A9%22%0A\.tar$/),
    ],
  ])('sends an archive, when GET has %s', async (query, path, gzip, type, disposition) => {
    const response = await app.fetch(URL + query);
    expect([response.status, response.headers.get('content-type'), response.headers.get('content-disposition')]).toEqual([
      200,
      type,
      disposition,
    ]);
    expect(await response.text()).toBe('the tar');
    expect(pack).toHaveBeenCalledWith(expect.anything(), 's', path, gzip, expect.any(AbortSignal));
  });

  it.each([
    ['?gzip=1', 'gzip'],
    ['?gzip=', 'gzip'],
    ['?gzip=true&gzip=true', 'gzip'],
    ['?path=a&path=b', 'path'],
    ['?unknown=x', 'unknown'],
  ])('refuses GET when the query is %s', async (query, field) => {
    expect([await refusedFields(await app.fetch(URL + query)), pack.mock.calls]).toEqual([[field], []]);
  });

  it('answers a problem when packing fails before the first byte, and cuts the connection when it fails later', async () => {
    pack.mockRejectedValueOnce(new SandboxError(ErrorCode.NOT_FOUND, 'x'));
    expect((await app.fetch(URL)).status).toBe(404);
    const archive = new PassThrough();
    pack.mockResolvedValueOnce(archive);
    archive.write('begun');
    const response = await app.fetch(URL);
    archive.destroy(new Error('broken'));
    await expect(response.text()).rejects.toThrow();
  });

  it('ends the archive when the client goes away', async () => {
    const archive = new PassThrough();
    pack.mockResolvedValueOnce(archive);
    archive.write('begun');
    const gone = new AbortController();
    const response = await app.fetch(URL, { signal: gone.signal });
    const closed = new Promise((resolve) => archive.once('close', resolve));
    gone.abort();
    await expect(response.text()).rejects.toThrow();
    await closed;
  });

  it('sends only the headers when the method is HEAD', async () => {
    const response = await app.fetch(URL, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([200, 'application/x-tar', '']);
  });

  it.each(['application/x-tar', 'application/gzip', 'Application/X-GZIP; x=y', 'application/octet-stream', ''])(
    'takes an archive when the content type of PUT is %j',
    async (type) => {
      const response = await app.fetch(`${URL}?path=a`, { method: 'PUT', body: Buffer.from('bytes'), headers: { 'Content-Type': type } });
      expect([response.status, await response.json(), received.toString()]).toEqual([200, { entries: 1, size: 2 }, 'bytes']);
      expect(unpack).toHaveBeenCalledWith(expect.anything(), 's', 'a', expect.anything(), expect.any(AbortSignal));
    },
  );

  it.each<Record<string, string>>([
    { 'Content-Type': 'application/json' },
    { 'Content-Type': 'multipart/form-data; boundary=x' },
    { 'Content-Encoding': 'gzip' },
  ])('refuses PUT when it has the headers %j', async (headers) => {
    const response = await app.fetch(URL, { method: 'PUT', body: Buffer.from('{}'), headers });
    const { code } = (await response.json()) as { code: string };
    expect([response.status, code, unpack.mock.calls]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE', []]);
  });

  it('answers a refusal when the body of PUT is still coming', async () => {
    unpack.mockRejectedValueOnce(new SandboxError(ErrorCode.ARCHIVE_REFUSED, 'The archive holds a device (null).'));
    const response = await app.fetch(URL, { method: 'PUT', body: Buffer.alloc(4 * 1024 * 1024) });
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'ARCHIVE_REFUSED', detail: 'The archive holds a device (null).' }),
    ]);
  });
});
