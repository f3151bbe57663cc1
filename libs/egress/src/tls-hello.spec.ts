import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readServerName, type ServerName } from './tls-hello';
import { clientHello, extension, inRecords, serverNameExtension, u16, u24 } from './testing/client-hello';

const found = (name: string): ServerName => ({ state: 'found', name });
const hello = (...extensions: Buffer[]): Buffer => inRecords(clientHello(extensions));

describe('readServerName', () => {
  it.each([
    ['the name stands first', hello(serverNameExtension('pypi.org'), extension(16, Buffer.from('rest'))), found('pypi.org')],
    ['other extensions stand before it', hello(extension(10, Buffer.alloc(300)), serverNameExtension('pypi.org')), found('pypi.org')],
    ['upper case is in it', hello(serverNameExtension('PyPI.Org')), found('PyPI.Org')],
    ['a final dot is in it', hello(serverNameExtension('pypi.org.')), found('pypi.org.')],
    ['other messages follow it', Buffer.concat([hello(serverNameExtension('pypi.org')), Buffer.from('anything')]), found('pypi.org')],
    ['other extensions are there', hello(extension(16, Buffer.from('rest'))), { state: 'none' }],
    ['no extension is there', hello(), { state: 'none' }],
    ['the field of extensions is missing', inRecords(clientHello(undefined)), { state: 'none' }],
  ])('reads the name when %s', (_when, bytes, answer) => {
    expect(readServerName(bytes)).toEqual(answer);
  });

  const name = Buffer.from('pypi.org');
  const list = (...entries: Buffer[]): Buffer => {
    const all = Buffer.concat(entries);
    return extension(0, Buffer.concat([u16(all.length), all]));
  };
  const entry = (type: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([type]), u16(bytes.length), bytes]);
  const sound = clientHello([serverNameExtension('pypi.org')]);
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(sound);
    copy[at] = value;
    return inRecords(copy);
  };

  it.each([
    ['two server name extensions', hello(serverNameExtension('pypi.org'), serverNameExtension('pypi.org'))],
    ['two names', hello(list(entry(0, name), entry(0, name)))],
    ['a name of an unknown type', hello(list(entry(1, name)))],
    ['an unknown type before the name', hello(list(entry(1, name), entry(0, name)))],
    ['an empty name', hello(list(entry(0, Buffer.alloc(0))))],
    ['an empty list', hello(list())],
    ['an empty extension', hello(extension(0, Buffer.alloc(0)))],
    ['a NUL in the name', hello(serverNameExtension('pypi.org\0.evil.example'))],
    ['a blank in the name', hello(serverNameExtension('pypi org'))],
    ['a byte beyond ASCII in the name', hello(list(entry(0, Buffer.from([0x62, 0xfc]))))],
    ['a byte after the name list', hello(extension(0, Buffer.concat([u16(11), entry(0, name), Buffer.from([0])])))],
    ['a list that is longer than its extension', hello(extension(0, Buffer.concat([u16(12), entry(0, name)])))],
    ['a list that is shorter than its name', hello(extension(0, Buffer.concat([u16(10), entry(0, name)])))],
    [
      'bytes after the extensions',
      inRecords(Buffer.concat([sound.subarray(0, 1), u24(sound.length - 3), sound.subarray(4), Buffer.from([0])])),
    ],
    [
      'a length that is too short for its extensions',
      inRecords(Buffer.concat([sound.subarray(0, 1), u24(sound.length - 5), sound.subarray(4)])),
    ],
    ['a hello that ends in its random', inRecords(Buffer.concat([Buffer.from([1]), u24(20), Buffer.alloc(20)]))],
    ['an empty hello', inRecords(Buffer.from([1, 0, 0, 0]))],
    ['another handshake message', changed(0, 2)],
    ['a session id that is longer than the hello', changed(4 + 34, 255)],
    ['a hello of more than 64 KiB', inRecords(Buffer.concat([Buffer.from([1]), u24(65_600), Buffer.alloc(65_600)]))],
    ['a hello that claims 16 MiB', inRecords(Buffer.from([1, 255, 255, 255, 0]))],
    ['an alert', Buffer.from([21, 3, 1, 0, 2, 1, 0])],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1])],
    ['a version that is none', Buffer.from([22, 2, 0, 0, 100])],
    ['something else', Buffer.from('GET / HTTP/1.1')],
    ['another record within the hello', Buffer.concat([inRecords(sound, 50).subarray(0, 55), Buffer.from([23, 3, 1, 0, 1, 0])])],
    ['records that hold too little for 64 KiB', inRecords(Buffer.concat([Buffer.from([1]), u24(30_000), Buffer.alloc(30_000)]), 1)],
  ])('refuses %s', (_what, bytes) => {
    expect(readServerName(bytes)).toEqual({ state: 'malformed' });
  });

  it('refuses what cannot become TLS at its first wrong byte', () => {
    expect(readServerName(Buffer.alloc(0))).toEqual({ state: 'more', needed: 9 });
    expect(readServerName(Buffer.from([22]))).toEqual({ state: 'more', needed: 9 });
    expect(readServerName(Buffer.from([22, 3]))).toEqual({ state: 'more', needed: 9 });
    expect(readServerName(Buffer.from([23]))).toEqual({ state: 'malformed' });
    expect(readServerName(Buffer.from([22, 4]))).toEqual({ state: 'malformed' });
    expect(readServerName(Buffer.from([22, 3, 1, 0, 9, 2]))).toEqual({ state: 'malformed' });
  });

  it('asks for a few looks alone when each byte comes in a record of its own', () => {
    const bytes = inRecords(clientHello([extension(21, Buffer.alloc(9_000)), serverNameExtension('pypi.org')]), 1);
    let [looks, length] = [0, 0];
    for (let answer: ServerName = { state: 'more', needed: 1 }; answer.state === 'more'; looks++) {
      expect(answer.needed).toBeGreaterThan(length);
      length = answer.needed;
      answer = readServerName(bytes.subarray(0, length));
      if (answer.state !== 'more') expect(answer).toEqual(found('pypi.org'));
    }
    expect(length).toBe(bytes.length);
    expect(looks).toBeLessThan(100);
  });
});

/** They make a hello of more than 1,500 bytes. */
const PROTOCOLS = Array.from({ length: 120 }, (_, index) => `protocol-${index}`);

/** The first bytes that real programs send. */
describe('readServerName, of a hello that is', () => {
  const server = createServer();
  let port = 0;

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  async function firstBytesOf(send: () => { end(): void }): Promise<Buffer> {
    const connection = once(server, 'connection') as Promise<[Socket]>;
    const program = send();
    const [socket] = await connection;
    const bytes: Buffer[] = [];
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => bytes.push(chunk));
    while (readServerName(Buffer.concat(bytes)).state === 'more') await once(socket, 'data');
    socket.destroy();
    program.end();
    return Buffer.concat(bytes);
  }

  const byNode =
    (servername: string | undefined, options = {}) =>
    (): { end(): void } => {
      const socket = connectTls({ port, host: '127.0.0.1', ...(servername !== undefined && { servername }), ...options });
      socket.on('error', () => undefined);
      return { end: () => socket.destroy() };
    };
  const byProgram =
    (command: string, ...args: string[]) =>
    (): { end(): void } => {
      const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'ignore'] });
      return { end: () => child.kill('SIGKILL') };
    };

  const byOpenssl = (...args: string[]): (() => { end(): void }) =>
    byProgram('openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...args);

  it.each([
    ['Node’s', () => byNode('pypi.org')],
    ['Node’s of TLS 1.2', () => byNode('pypi.org', { maxVersion: 'TLSv1.2' })],
    ['Node’s with many protocols, so that it is long', () => byNode('pypi.org', { ALPNProtocols: PROTOCOLS })],
    ['openssl’s', () => byOpenssl('-servername', 'pypi.org')],
    ['openssl’s in several records', () => byOpenssl('-servername', 'pypi.org', '-max_send_frag', '512', '-alpn', PROTOCOLS.join(','))],
    ['curl’s', () => byProgram('curl', '-s', '--noproxy', '*', '--connect-to', `pypi.org:443:127.0.0.1:${port}`, 'https://pypi.org/')],
  ])('%s, finds the name, and needs every byte up to it', async (_whose, program) => {
    const bytes = await firstBytesOf(program());
    expect(readServerName(bytes)).toEqual(found('pypi.org'));
    for (let length = 0; length < bytes.length; length++) {
      const answer = readServerName(bytes.subarray(0, length));
      expect([length, answer.state]).toEqual([length, 'more']);
      expect((answer as { needed: number }).needed).toBeGreaterThan(length);
      expect((answer as { needed: number }).needed).toBeLessThanOrEqual(bytes.length);
    }
  });

  it.each([
    ['Node’s to an address', () => byNode(undefined)],
    ['openssl’s without a name', () => byOpenssl('-noservername')],
  ])('%s, finds none', async (_whose, program) => {
    expect(readServerName(await firstBytesOf(program()))).toEqual({ state: 'none' });
  });
});
