import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { ByteRange, FilePart, LineRange, WorkspaceEntriesService, WorkspaceService } from '@sandbox/orchestrator';
import { refusedFields } from '../../../../test/support/refused-fields';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const FILE = Buffer.from('0123456789');
const LIMIT = 1024 * 1024;
const TAG = '"1f.a"';

/** The file, or its range 2-4 if a range is asked for and its condition holds. */
function fileOf(part: ByteRange | LineRange | undefined): FilePart {
  const ranged = part !== undefined && !('firstLine' in part) && (part.ifEtag ?? TAG) === TAG;
  return { size: 10, modified: '2025-01-01T00:00:00.000Z', etag: TAG, offset: ranged ? 2 : 0, length: ranged ? 3 : 10, ranged };
}

describe('the workspace API', () => {
  let app: TestApp;
  const stored: { session: string; path: string; content: Buffer }[] = [];
  const failures: unknown[] = [];
  const seen: unknown[][] = [];

  /** Keeps what is written, as the real service does: nothing of a stream that fails. */
  const write: WorkspaceService['writeFile'] = async (_user, session, path, content) => {
    try {
      const bytes = Buffer.isBuffer(content) ? content : await buffer(content);
      stored.push({ session, path: String(path), content: bytes });
      return { path: String(path), size: bytes.length, created: true, etag: TAG, session_created: true };
    } catch (error) {
      failures.push(error);
      throw error;
    }
  };

  const entries: Partial<WorkspaceEntriesService> = {
    listEntries: async (_user, session, path) => {
      seen.push([session, path]);
      return {
        entries: [{ name: 'a', type: 'file', size: 1, modified: '2025-01-01T00:00:00.000Z' }],
        truncated: false,
        skipped: [],
        session_created: true,
      };
    },
    deleteEntry: async (_user, session, path) => {
      seen.push([session, path]);
      return { path: String(path), session_created: true };
    },
  };

  const workspace: Partial<WorkspaceService> = {
    readText: async (_user, session, path, _signal, part) => {
      seen.push([session, path, ...(part ? [part] : [])]);
      if (path === 'large') throw new SandboxError(ErrorCode.FILE_TOO_LARGE, 'The file has 9 bytes.');
      return { ...fileOf(part), content: 'text', encoding: 'utf8' };
    },
    openRead: async (_user, _session, path, range) => {
      seen.push([path, range]);
      if (path === 'absent') throw new SandboxError(ErrorCode.NOT_FOUND, 'There is no such file.');
      const content =
        path === 'broken'
          ? Readable.from(
              (async function* () {
                yield FILE.subarray(0, 4);
                throw new SandboxError(ErrorCode.SANDBOX_LOST, 'Gone.');
              })(),
            )
          : Readable.from([fileOf(range).ranged ? FILE.subarray(2, 5) : FILE]);
      return { ...fileOf(range), content };
    },
    writeFile: write,
  };

  beforeAll(async () => {
    app = await TestApp.start({ workspace, entries });
  });
  beforeEach(() => {
    stored.length = failures.length = seen.length = 0;
  });
  afterAll(() => app.stop());

  const expectUnsupported = async (response: Response): Promise<void> =>
    expect([response.status, await response.json()]).toEqual([415, expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE' })]);

  const openSocket = (text: string): Socket => {
    const socket = connect(app.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(text);
    return socket;
  };

  it.each(['a/b 😀', '..', '.', '%2e', 'a?b#c', '\n\0', 'x'.repeat(256)])('takes the session id %j from the URL unchanged', async (id) => {
    const encoded = [...Buffer.from(id)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    // Written by hand, because URL classes take %2e%2e for a step upwards.
    const socket = openSocket(
      `GET /sessions/${encoded}/workspace?path=p HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nConnection: close\r\n\r\n`,
    );
    expect((await buffer(socket)).toString()).toMatch(/^HTTP\/1\.1 200 /);
    expect(seen).toEqual([[id, 'p']]);
  });

  it('answers 422 when a session id is over its limit', async () => {
    expect(await refusedFields(await app.fetch(`/sessions/${'x'.repeat(257)}/workspace`))).toEqual(['session_id']);
  });

  it('lists the root when no path is given', async () => {
    const response = await app.fetch('/sessions/s/workspace');
    expect(await response.json()).toEqual({ entries: [{ name: 'a', type: 'file', size: 1, modified: '2025-01-01T00:00:00.000Z' }] });
    expect(seen).toEqual([['s', '']]);
  });

  it.each([
    ['GET', '/sessions/s/workspace?path=a&path=b', 'path'],
    ['GET', '/sessions/s/workspace?pth=a', 'pth'],
    ['GET', '/sessions/s/workspace/content', 'path'],
    ['PUT', '/sessions/s/workspace/content', 'path'],
    ['DELETE', '/sessions/s/workspace', 'path'],
    ['DELETE', '/sessions/s/workspace?path[a]=1', 'path[a]'],
    ['POST', '/sessions/s/workspace/upload?path=a&path=b', 'path'],
    ['GET', '/sessions/s/workspace?__proto__=1', '__proto__'],
    ['GET', '/sessions/s/workspace?path=a&path_base64=YQ%3D%3D', 'path'],
    ['GET', '/sessions/s/workspace?path_base64=Yf+8=', 'path_base64'],
    ['GET', '/sessions/s/workspace/content?path_base64=YQ', 'path_base64'],
    ['GET', `/sessions/s/workspace?${'x'.repeat(99)}%F0%9F%98%80=1`, 'x'.repeat(99)],
  ])('answers 422 to %s %s', async (method, path, field) => {
    const response = await app.fetch(path, { method });
    expect(response.status).toBe(422);
    expect(((await response.json()) as { errors: unknown[] }).errors).toContainEqual({ field, message: expect.any(String) });
  });

  it('takes a path by its bytes when a call gives path_base64', async () => {
    const query = 'path_base64=Y2Fm6Q%3D%3D';
    const bytes = Buffer.from('caf\xe9', 'latin1');
    await app.fetch(`/sessions/s/workspace?${query}`);
    await app.fetch(`/sessions/s/workspace/content?${query}`);
    await app.fetch(`/sessions/s/workspace?${query}`, { method: 'DELETE' });
    expect(seen.map((call) => call[1])).toEqual([bytes, bytes, bytes]);
  });

  it('says how to give a path when it is not UTF-8', async () => {
    const response = await app.fetch('/sessions/s/workspace?path=caf%E9');
    expect([response.status, ((await response.json()) as { detail: string }).detail]).toEqual([
      400,
      'The query string is not percent-encoded UTF-8. A path that is not UTF-8 goes in path_base64.',
    ]);
  });

  it('reads a file as JSON when the client takes anything', async () => {
    for (const accept of ['*/*', 'application/json', 'text/html, */*;q=0.8']) {
      const response = await app.fetch('/sessions/s/workspace/content?path=f', { headers: { Accept: accept } });
      expect(await response.json()).toEqual({ content: 'text', encoding: 'utf8' });
      expect(response.headers.get('etag')).toBe(TAG);
    }
  });

  const bytes = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
    app.fetch(`/sessions/s/workspace/content?path=${path}`, { method, headers: { Accept: 'application/octet-stream', ...headers } });

  it('reads a file as bytes, which no browser runs, when the client asks for them', async () => {
    const response = await bytes('f');
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(FILE);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'content-length': '10',
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
    });
  });

  it('reads a range when the request has one', async () => {
    const response = await bytes('f', { Range: 'bytes=2-4' });
    expect([response.status, await response.text()]).toEqual([206, '234']);
    expect(response.headers.get('content-range')).toBe('bytes 2-4/10');
    expect(seen).toEqual([['f', { start: 2, end: 4 }]]);
  });

  it('reads a range as bytes when Accept is missing, and as JSON when it asks for that', async () => {
    const any = await bytes('f', { Accept: '*/*', Range: 'bytes=2-4' });
    expect([any.status, any.headers.get('content-type'), await any.text()]).toEqual([206, 'application/octet-stream', '234']);
    const json = await bytes('f', { Accept: 'application/json', Range: 'bytes=2-4' });
    expect([json.status, json.headers.get('content-range'), await json.json()]).toEqual([
      206,
      'bytes 2-4/10',
      { content: 'text', encoding: 'utf8' },
    ]);
    expect(seen).toEqual([
      ['f', { start: 2, end: 4 }],
      ['s', 'f', { start: 2, end: 4 }],
    ]);
  });

  it.each(['application/octet-stream', 'application/json'])(
    'answers the whole file as %s when If-Range names another tag',
    async (Accept) => {
      const range = { Accept, Range: 'bytes=2-4' };
      expect((await bytes('f', { ...range, 'If-Range': TAG })).status).toBe(206);
      for (const other of ['"1f.b"', `W/${TAG}`, 'Wed, 21 Oct 2015 07:28:00 GMT']) {
        const response = await bytes('f', { ...range, 'If-Range': other });
        expect([other, response.status, response.headers.get('content-range')]).toEqual([other, 200, null]);
      }
    },
  );

  it('names the other ways when a file is too large for JSON', async () => {
    const response = await app.fetch('/sessions/s/workspace/content?path=large');
    expect([response.status, await response.json()]).toEqual([
      413,
      expect.objectContaining({
        code: 'FILE_TOO_LARGE',
        detail:
          'The file has 9 bytes. Ask for some of its lines (start_line, end_line) or bytes (Range: bytes=0-99999), for all of it with Accept: application/octet-stream, or for a tar of it (GET …/workspace/archive?path=).',
      }),
    ]);
  });

  it('sends only the headers when the method is HEAD', async () => {
    const response = await bytes('f', {}, 'HEAD');
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '10', '']);
  });

  it('answers 406 when neither form is acceptable', async () => {
    expect((await bytes('f', { Accept: 'image/png' })).status).toBe(406);
  });

  it('answers a problem when reading fails before the first byte, and cuts the connection when it fails later', async () => {
    const absent = await bytes('absent');
    expect([absent.status, absent.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
    const broken = await bytes('broken');
    expect(broken.status).toBe(200);
    await expect(broken.text()).rejects.toThrow();
  });

  const put = (body: RequestInit['body'], headers: Record<string, string> = {}): Promise<Response> =>
    app.fetch('/sessions/s/workspace/content?path=f', { method: 'PUT', body, headers, duplex: 'half' });

  it('writes the bytes of the body when its type is any but JSON', async () => {
    const content = Buffer.from([0, 255, 10, 13]);
    for (const type of ['application/octet-stream', 'text/plain', 'application/x-www-form-urlencoded']) {
      expect((await put(content, { 'Content-Type': type })).status).toBe(204);
    }
    expect((await put(new Blob([content]).stream())).status).toBe(204);
    expect(stored.map((file) => file.content)).toEqual([content, content, content, content]);
  });

  it('writes an empty file when the body is empty', async () => {
    expect((await put(undefined)).status).toBe(204);
    expect(stored).toEqual([{ session: 's', path: 'f', content: Buffer.alloc(0) }]);
  });

  it('writes the content when the body is JSON', async () => {
    const json = (body: unknown, type = 'application/json'): Promise<Response> => put(JSON.stringify(body), { 'Content-Type': type });
    expect((await json({ content: 'é' })).status).toBe(204);
    expect((await json({ content: '', encoding: 'utf8' }, 'application/json; charset=utf-8')).status).toBe(204);
    expect((await json({ content: 'AP8=', encoding: 'base64' })).status).toBe(204);
    expect(stored.map((file) => file.content)).toEqual([Buffer.from('é'), Buffer.alloc(0), Buffer.from([0, 255])]);
    for (const [body, field] of [
      [{}, 'content'],
      [{ content: 5 }, 'content'],
      [{ content: 'x', encoding: 'hex' }, 'encoding'],
      [{ content: 'AP8', encoding: 'base64' }, 'content'],
      [{ content: '', mode: 1 }, 'mode'],
    ]) {
      expect([body, await refusedFields(await json(body))]).toEqual([body, [field]]);
    }
    expect((await put('{', { 'Content-Type': 'application/json' })).status).toBe(400);
    await expectUnsupported(await json({ content: 'x' }, 'application/json; charset=latin1'));
    expect(stored).toHaveLength(3);
  });

  it('refuses a body before it is sent when it is over the limit', async () => {
    expect((await put(Buffer.alloc(LIMIT))).status).toBe(204);
    const socket = openSocket(
      `PUT /sessions/s/workspace/content?path=f HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nContent-Length: ${LIMIT + 1}\r\n\r\n`,
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 [^]*FILE_TOO_LARGE/);
    expect(stored).toHaveLength(1);
  });

  it('refuses a body when it is compressed', async () => {
    await expectUnsupported(await put('x', { 'Content-Encoding': 'gzip' }));
  });

  it('stores nothing when the sender of a body goes away', async () => {
    const socket = openSocket(
      `PUT /sessions/s/workspace/content?path=f HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nContent-Length: 100\r\n\r\nhalf`,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    while (failures.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(failures).toEqual([expect.objectContaining({ code: 'CLIENT_CLOSED_REQUEST' })]);
    expect(stored).toEqual([]);
  });

  it('answers, and reads the rest of the body, when a write is refused halfway', async () => {
    const refusing = await TestApp.start({
      workspace: {
        writeFile: async (_user, _session, _path, content) => {
          await once(content as Readable, 'data');
          (content as Readable).destroy();
          throw new SandboxError(ErrorCode.FILE_TOO_LARGE, 'Too large.');
        },
      },
    });
    const client = connect(refusing.port, '127.0.0.1');
    const header = `Host: x\r\nX-API-Key: ${API_KEY}\r\n`;
    client.write(`PUT /sessions/s/workspace/content?path=f HTTP/1.1\r\n${header}Transfer-Encoding: chunked\r\n\r\n`);
    for (let i = 0; i < 32; i++) client.write(`100000\r\n${'x'.repeat(0x100000)}\r\n`);
    client.write(`0\r\n\r\nGET /health HTTP/1.1\r\nConnection: close\r\n${header}\r\n`);
    const answers = (await buffer(client)).toString();
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
    await refusing.stop();
  }, 20_000);

  it('deletes a file when its path is given', async () => {
    expect((await app.fetch('/sessions/s/workspace?path=a%2Fb', { method: 'DELETE' })).status).toBe(204);
    expect(seen).toEqual([['s', 'a/b']]);
  });
});
