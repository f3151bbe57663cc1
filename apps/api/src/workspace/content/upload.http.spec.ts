import type { WorkspaceService } from '@sandbox/orchestrator';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { refusedFields } from '../../../../../test/support/refused-fields';
import { TestApp } from '../../../../../test/support/test-app';

const LIMIT = 1024 * 1024;
const BOUNDARY = 'boundary-of-the-test';

describe('POST …/upload', () => {
  let app: TestApp;
  const stored: { path: string; content: Buffer }[] = [];

  const write: WorkspaceService['writeFile'] = async (_user, _session, path, content) => {
    const bytes = await buffer(content as Readable);
    stored.push({ path: String(path), content: bytes });
    return { path: String(path), size: bytes.length, created: true, etag: '"1"', session_created: true };
  };

  beforeAll(async () => {
    app = await TestApp.start({ workspace: { writeFile: write } });
  });
  beforeEach(() => {
    stored.length = 0;
  });
  afterAll(() => app.stop());

  const upload = async (
    body: RequestInit['body'],
    { query = '', type }: { query?: string; type?: string } = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const headers: Record<string, string> = type === undefined ? {} : { 'Content-Type': type };
    const response = await app.fetch(`/sessions/s/workspace/upload${query}`, { method: 'POST', body, headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  const refusal = ({ status, body }: Awaited<ReturnType<typeof upload>>): unknown[] => [
    status,
    (body.errors as { field: string }[] | undefined)?.map(({ field }) => field),
    stored,
  ];

  const form = (...parts: [name: string, content: string, fileName?: string][]): FormData => {
    const data = new FormData();
    for (const [name, content, fileName] of parts) {
      if (fileName === undefined) data.append(name, content);
      else data.append(name, new Blob([content]), fileName);
    }
    return data;
  };

  /** A part with any header, closed properly or not. */
  const part = (disposition: string, end = `\r\n--${BOUNDARY}--\r\n`): Buffer =>
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: ${disposition}\r\n\r\ncontent${end}`);
  const multipart = { type: `multipart/form-data; boundary=${BOUNDARY}` };

  it('stores the file under its own name when no path is given', async () => {
    expect(await upload(form(['file', 'content', 'a é😀.txt']))).toEqual({
      status: 201,
      body: { path: 'a é😀.txt', session_id: 's', size: 7 },
    });
    expect(stored).toEqual([{ path: 'a é😀.txt', content: Buffer.from('content') }]);
  });

  it('stores the file under the path when one is given', async () => {
    expect((await upload(form(['file', '', 'x']), { query: '?path=d%2Fe' })).body).toEqual({ path: 'd/e', session_id: 's', size: 0 });
  });

  it('drops directories when the file’s name has some', async () => {
    for (const name of ['../../etc/passwd', '/etc/passwd', 'C:\\\\temp\\\\passwd', './passwd']) {
      expect((await upload(part(`form-data; name="file"; filename="${name}"`), multipart)).body.path).toBe('passwd');
    }
  });

  it.each(['=".."', '="."', '=""', '="a/"', '="a/.."', "*=utf-8''a%00b"])('refuses the name %s when no path is given', async (name) => {
    const answer = await upload(part(`form-data; name="file"; filename${name}`), multipart);
    expect(refusal(answer)).toEqual([422, ['path'], []]);
  });

  it.each<[string, string, FormData]>([
    ['no part', 'file', form()],
    ['another field', 'data', form(['data', 'x', 'f'])],
    ['text instead of a file', 'file', form(['file', 'x'])],
    ['text beside the file', 'path', form(['file', 'x', 'f'], ['path', 'y'])],
    ['text before the file', 'path', form(['path', 'y'], ['file', 'x', 'f'])],
    ['two files', 'file', form(['file', 'x', 'f'], ['file', 'y', 'g'])],
  ])('stores nothing when the form is refused: %s', async (_name, field, body) => {
    expect(refusal(await upload(body, { query: '?path=p' }))).toEqual([422, [field], []]);
  });

  it('stores nothing when a second part comes late', async () => {
    const first = part('form-data; name="file"; filename="f"', '');
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(Buffer.concat([first, Buffer.from(`\r\n--${BOUNDARY}`)]));
        // Long enough to store the first part, if it were taken for the whole form.
        await new Promise((resolve) => setTimeout(resolve, 200));
        controller.enqueue(part('form-data; name="file"; filename="g"').subarray(`--${BOUNDARY}`.length));
        controller.close();
      },
    });
    const answer = await app.fetch('/sessions/s/workspace/upload', {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'Content-Type': multipart.type },
    });
    expect([await refusedFields(answer), stored]).toEqual([['file'], []]);
  });

  it.each([
    ['form-data; filename="f"', ''],
    ['form-data; filename=f', ''],
    ['form-data', ''],
    ['form-data; name', ''],
    // The parser skips this part, so there is no file.
    ['attachment; name="file"; filename="f"', 'file'],
  ])('refuses a part without the name of a field, and stores nothing: %s', async (disposition, field) => {
    const answer = await upload(part(disposition), { ...multipart, query: '?path=p' });
    expect([answer.body.code, ...refusal(answer)]).toEqual(['VALIDATION_FAILED', 422, [field], []]);
  });

  it('answers when a long part is no form-data', async () => {
    const long = Buffer.from(`--${BOUNDARY}\r\nX: y\r\n\r\n${'x'.repeat(300_000)}\r\n`);
    expect((await upload(Buffer.concat([long, part('form-data; name="file"; filename="f"')]), multipart)).status).toBe(201);
    expect(refusal(await upload(Buffer.concat([long, Buffer.from(`--${BOUNDARY}--\r\n`)]), multipart)).slice(0, 2)).toEqual([
      422,
      ['file'],
    ]);
  });

  it('stores nothing when the form is cut off', async () => {
    const answer = await upload(part('form-data; name="file"; filename="f"', ''), multipart);
    expect([answer.status, stored]).toEqual([400, []]);
  });

  it.each(['application/json', 'multipart/form-data', 'multipart/mixed; boundary=x', 'text/plain'])(
    'refuses the content type %s',
    async (type) => {
      const { status, body } = await upload('{}', { type });
      expect([status, body.code, stored]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE', []]);
    },
  );

  it('refuses a form when it declares clearly more than a file may have', async () => {
    expect((await upload(form(['file', 'x'.repeat(LIMIT), 'f']))).status).toBe(201);
    expect(await upload(form(['file', 'x'.repeat(LIMIT + 20_000), 'f']))).toMatchObject({ status: 413, body: { code: 'FILE_TOO_LARGE' } });
  });

  it('answers a problem when storing fails', async () => {
    const failing = await TestApp.start({ workspace: { writeFile: () => Promise.reject(new Error('disk')) } });
    const body = form(['file', 'x'.repeat(LIMIT), 'f']);
    expect((await failing.fetch('/sessions/s/workspace/upload', { method: 'POST', body })).status).toBe(500);
    await failing.stop();
  });
});
