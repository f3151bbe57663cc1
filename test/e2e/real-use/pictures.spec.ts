import { deflateSync, gzipSync } from 'node:zlib';
import { Tools } from '../../support/service/mcp';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, type Client, Service } from '../../support/service/service';
import { tar } from '../../support/service/tar';

jest.setTimeout(180_000);

const SESSION = 'pictures';

/** @returns a valid PNG of one grey pixel, with a comment of this many bytes */
function png(comment = 0): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), body.length + 4);
    return out;
  };
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', Buffer.from('00000001000000010800000000', 'hex')),
    chunk('tEXt', Buffer.concat([Buffer.from('Comment\0'), Buffer.alloc(comment, 'x')])),
    chunk('IDAT', deflateSync(Buffer.from([0, 128]))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crc32(bytes: Buffer): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ -1) >>> 0;
}

const PNG = png();
const LARGE_PNG = png(2_000_000);
const LARGEST_PNG = png(1024 * 1024 - PNG.length);
const JPEG = Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex');
const GIF = Buffer.from('47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b', 'hex');
const WEBP = Buffer.from('524946461a000000574542505650384c0d0000002f00000010071011118888fe0700', 'hex');
const ZIP = Buffer.from('504b0506000000000000000000000000000000000000', 'hex');
const RANDOM = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (Math.imul(index, 2654435761) >>> 13) & 0xff));

describe('The MCP server, for files as a model reads them,', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let alice: Client;
  let tools: Tools;

  const files: Record<string, Buffer> = {
    'plot.png': PNG,
    'no-ending': PNG,
    'lies.txt': JPEG,
    'a.gif': GIF,
    'a.webp': WEBP,
    'largest.png': LARGEST_PNG,
    'large.png': LARGE_PNG,
    'a.zip': ZIP,
    'a.gz': gzipSync('x'),
    'a.tar': tar([{ name: 'f' }]),
    'data.bin': RANDOM,
    'latin1.txt': Buffer.from('Gr\xfc\xdfe aus K\xf6ln\n', 'latin1'),
    'utf16.txt': Buffer.from('\ufeffone\ntwo ü\nthree\n', 'utf16le'),
    'gif-in-words.txt': Buffer.from('GIF89a is how such a file begins\n'),
    'damaged.log': Buffer.concat([Buffer.from('Привет\n'), Buffer.from([0xff]), Buffer.from('мир\n')]),
    empty: Buffer.alloc(0),
  };

  beforeAll(async () => {
    service = await Service.start({ deployment, env: { WORKSPACE_MAX_FILE_SIZE_BYTES: '4000000' } });
    alice = service.client(ALICE);
    tools = await Tools.connect(service, ALICE);
    for (const [name, content] of Object.entries(files)) {
      const { status } = await alice.request('PUT', alice.workspace(SESSION, name, true), undefined, {
        body: content as unknown as RequestInit['body'],
        headers: { 'Content-Type': 'application/octet-stream' },
      });
      expect([name, status]).toEqual([name, 204]);
    }
    await alice.run(SESSION, 'seq 1 400000 > app.log; printf "%0200000d" 7 > one-line; cp /bin/sh elf');
  });
  afterAll(async () => {
    await tools?.close();
    await service?.stop();
    await deployment.removeAll();
  });

  const read = (path: string, more: object = {}) => tools.call('workspace_read', { session_id: SESSION, path, ...more });

  it.each([
    ['plot.png', 'image/png'],
    ['no-ending', 'image/png'],
    ['lies.txt', 'image/jpeg'],
    ['a.gif', 'image/gif'],
    ['a.webp', 'image/webp'],
    ['largest.png', 'image/png'],
  ])('sends an image block, with the bytes once, when the file is %s', async (path, mimeType) => {
    const { content, structuredContent, isError } = await read(`/workspace/${path}`);
    const { length } = files[path]!;
    expect([isError, structuredContent]).toEqual([undefined, { path, size: length, mime_type: mimeType }]);
    expect(content).toEqual([
      { type: 'image', data: files[path]!.toString('base64'), mimeType },
      { type: 'text', text: `${path}: ${mimeType}, ${length} bytes` },
    ]);
  });

  it('sends an image block when a program in the sandbox wrote the image', async () => {
    await alice.run(SESSION, 'python3 -c \'import shutil; shutil.copy("plot.png", "/workspace/by-python")\'');
    expect((await read('by-python')).content[0]).toEqual({ type: 'image', data: PNG.toString('base64'), mimeType: 'image/png' });
  });

  const LOOK = 'no text; use a command to look into it, or read its bytes with encoding: base64';
  it.each([
    [
      'large.png',
      'image/png',
      'an image over 1048576 bytes is not shown; make it smaller by a command, or read its bytes with encoding: base64',
    ],
    ['a.zip', 'application/zip', LOOK],
    ['a.gz', 'application/gzip', LOOK],
    ['a.tar', 'application/x-tar', LOOK],
    ['data.bin', 'application/octet-stream', LOOK],
  ])('sends only size and type when the file is %s', async (path, mime_type, instead) => {
    const size = files[path]!.length;
    const { content, structuredContent } = await read(path);
    expect(structuredContent).toEqual({ path, size, mime_type });
    expect(content).toEqual([{ type: 'text', text: `${path}: ${mime_type}, ${size} bytes; ${instead}` }]);
  });

  it('sends only size and type when the file is a program', async () => {
    expect((await read('elf')).structuredContent).toMatchObject({ path: 'elf', mime_type: 'application/x-elf' });
  });

  it.each<[what: string, path: string, more: object, answer: object]>([
    ['Latin-1', 'latin1.txt', {}, { content: 'Grüße aus Köln\n', encoding: 'utf8', encoding_detected: 'windows-1252' }],
    ['UTF-16', 'utf16.txt', {}, { content: 'one\ntwo ü\nthree\n', encoding: 'utf8', encoding_detected: 'utf-16le' }],
    [
      'lines of UTF-16',
      'utf16.txt',
      { start_line: 2, end_line: 2 },
      { content: 'two ü\n', encoding: 'utf8', encoding_detected: 'utf-16le' },
    ],
    ['text that begins as a GIF does', 'gif-in-words.txt', {}, { content: 'GIF89a is how such a file begins\n', encoding: 'utf8' }],
    ['damaged UTF-8', 'damaged.log', {}, { content: 'Привет\n\ufffdмир\n', encoding: 'utf8', encoding_detected: 'utf-8' }],
    ['nothing', 'empty', {}, { content: '', encoding: 'utf8' }],
    ['lines of a large file', 'app.log', { start_line: 399_999 }, { content: '399999\n400000\n', encoding: 'utf8' }],
    ['a few bytes', 'a.zip', { encoding: 'base64' }, { content: ZIP.toString('base64'), encoding: 'base64', path: 'a.zip', size: 22 }],
    [
      'the first bytes',
      'data.bin',
      { encoding: 'base64' },
      { content: RANDOM.toString('base64', 0, 15_000), encoding: 'base64', path: 'data.bin', size: 100_000, truncated: true },
    ],
  ])('sends the content when it reads %s', async (_, path, more, answer) => {
    expect((await read(path, more)).structuredContent).toEqual(answer);
  });

  it('shows both ends, and where to go on, when the text is large', async () => {
    const { structuredContent } = (await read('app.log')) as unknown as { structuredContent: { content: string; truncated: boolean } };
    const { content, truncated } = structuredContent;
    expect([truncated, content.length < 20_200]).toEqual([true, true]);
    const [, next] = /\n\[\.\.\. over \d+ bytes left out; go on with start_line (\d+) \.\.\.\]\n/.exec(content)!;
    expect(content.slice(0, 4)).toBe('1\n2\n');
    expect(content.endsWith('399999\n400000\n')).toBe(true);
    const more = (await read('app.log', { start_line: Number(next), end_line: Number(next) })).structuredContent as { content: string };
    expect(more.content).toBe(`${next}\n`);
    const line = (await read('one-line')).structuredContent as { content: string };
    expect(line.content).toMatch(/its lines are long: read parts of them by a command, such as cut -c/);
  });

  it('keeps output decodable when it cuts base64 that a command writes', async () => {
    const { structuredContent } = await tools.call('execute', { session_id: SESSION, command: 'cat data.bin', encoding: 'base64' });
    expect(structuredContent).toMatchObject({ stdout: RANDOM.toString('base64', 0, 15_000), exit_code: 0, truncated: true });
  });

  it('changes nothing when the file is read by REST', async () => {
    expect((await alice.request('GET', alice.workspace(SESSION, 'latin1.txt', true))).body).toEqual({
      content: files['latin1.txt']!.toString('base64'),
      encoding: 'base64',
    });
  });
});
