import type { DenialReason } from './denial';
import { FirstBytes } from './first-bytes';
import { clientHello, extension, inRecords, serverNameExtension } from './testing/client-hello';

const tls = (name: string): Buffer => inRecords(clientHello([extension(10, Buffer.alloc(40)), serverNameExtension(name)]));
const NAMELESS = inRecords(clientHello([extension(10, Buffer.alloc(40))]));
const http = (host: string): Buffer => Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
const OLD_HELLO = Buffer.from([0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10]);
const MYSQL = Buffer.from([0x20, 0, 0, 1, 0x85, 0xa6, 0xff, 0x19]);

const denied = (reason: DenialReason, port: number): object => ({ host: 'pypi.org', port, reason });

describe('FirstBytes', () => {
  it.each<[what: string, port: number, bytes: Buffer, outcome: 'pass' | DenialReason]>([
    ['TLS for the name', 443, tls('pypi.org'), 'pass'],
    ['TLS for the name in upper case', 443, tls('PyPI.ORG'), 'pass'],
    ['TLS for another name', 443, tls('evil.example'), 'tls_name_mismatch'],
    ['TLS for a name below', 443, tls('a.pypi.org'), 'tls_name_mismatch'],
    ['TLS for an address', 443, tls('10.0.0.1'), 'tls_name_mismatch'],
    ['TLS for no name', 443, NAMELESS, 'tls_name_missing'],
    ['broken TLS', 443, Buffer.from([22, 3, 1, 0, 0]), 'tls_name_missing'],
    ['TLS of a version that is none', 443, Buffer.from([22, 2, 0, 0, 9, 1, 0, 0, 5, 0]), 'tls_name_missing'],
    ['an SSL 2.0 hello for TLS', 443, OLD_HELLO, 'tls_name_missing'],
    ['an SSL 2.0 hello', 443, Buffer.from([0x80, 0x2e, 1, 0, 2]), 'tls_name_missing'],
    ['ssh', 443, Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'pass'],
    ['what begins by a high byte', 443, Buffer.from([0xff, 0xff, 0xff, 0xff]), 'pass'],
    ['a request for the name', 80, http('pypi.org'), 'pass'],
    ['a request for the name with its port', 80, http('PyPI.org:80'), 'pass'],
    ['a request for another name', 80, http('evil.example'), 'http_host_mismatch'],
    ['a request for another port', 80, http('pypi.org:8080'), 'http_host_mismatch'],
    ['a request for an address', 80, http('169.254.169.254'), 'http_host_mismatch'],
    ['a request for no host', 80, Buffer.from('GET / HTTP/1.0\r\n\r\n'), 'http_host_mismatch'],
    ['a request of HTTP/2', 80, Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'not_http'],
    ['ssh', 80, Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'not_http'],
    ['zeros', 80, Buffer.alloc(4), 'not_http'],
    ['TLS for the name', 80, tls('pypi.org'), 'pass'],
    ['TLS for another name', 80, tls('evil.example'), 'tls_name_mismatch'],
    ['the first byte of TLS and no more of it', 80, Buffer.from([22, 22]), 'not_http'],
    ['ssh', 22, Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'pass'],
    ['TLS for another name', 22, tls('evil.example'), 'tls_name_mismatch'],
    ['TLS for the name', 8443, tls('pypi.org'), 'pass'],
    ['TLS for no name', 8443, NAMELESS, 'tls_name_missing'],
    ['a request for another name', 8080, http('evil.example'), 'pass'],
    ['the first byte of TLS and no more of it', 5432, Buffer.from([22, 22]), 'pass'],
    ['an SSL 2.0 hello', 5432, OLD_HELLO, 'pass'],
    ['MySQL', 3306, MYSQL, 'pass'],
  ])('says of %s on port %i, at once and byte by byte', (_what, port, bytes, outcome) => {
    const expected = outcome === 'pass' ? 'pass' : denied(outcome, port);
    expect(new FirstBytes('pypi.org', port).push(bytes)).toEqual(expected);
    const slow = new FirstBytes('pypi.org', port);
    let at = 0;
    while (at < bytes.length && slow.push(bytes.subarray(at, ++at)) === 'more');
    expect(slow.push(Buffer.from('more'))).toEqual(expected);
    expect(slow.takeBytes()).toEqual(outcome === 'pass' ? bytes.subarray(0, at) : Buffer.alloc(0));
    expect(slow.takeBytes()).toHaveLength(0);
  });

  it.each<[what: string, port: number, bytes: string | Buffer, outcome: 'pass' | DenialReason]>([
    ['nothing', 22, '', 'pass'],
    ['nothing', 80, '', 'pass'],
    ['nothing', 443, '', 'pass'],
    ['half a request', 80, 'GET / HTTP/1.1\r\nHost: pypi.org\r\n', 'not_http'],
    ['the first byte of TLS', 80, Buffer.from([22]), 'tls_name_missing'],
    ['the first byte of TLS', 5432, Buffer.from([22]), 'tls_name_missing'],
    ['half a hello', 443, tls('pypi.org').subarray(0, 60), 'tls_name_missing'],
    ['half an old hello', 443, OLD_HELLO.subarray(0, 3), 'tls_name_missing'],
  ])('says of %s on port %i, when nothing follows', (_what, port, bytes, outcome) => {
    const first = new FirstBytes('pypi.org', port);
    if (bytes.length > 0) expect(first.push(Buffer.from(bytes))).toBe('more');
    expect(first.end()).toEqual(outcome === 'pass' ? 'pass' : denied(outcome, port));
    expect(first.takeBytes()).toHaveLength(0);
  });

  it('keeps its answer when more is pushed after it', () => {
    const first = new FirstBytes('pypi.org', 443);
    expect([first.push(tls('evil.example')), first.push(tls('pypi.org')), first.end()]).toEqual(
      Array(3).fill(denied('tls_name_mismatch', 443)),
    );
  });

  it.each([
    ['a hello', 443, inRecords(Buffer.concat([Buffer.from([1, 0, 0xff, 0]), Buffer.alloc(0xff00)]))],
    ['a head', 80, Buffer.from(`GET / HTTP/1.1\r\nX: ${'a'.repeat(66_000)}`)],
  ])('holds no more than 64 KiB and a piece when %s is as long as may be', (_what, port, bytes) => {
    const first = new FirstBytes('pypi.org', port);
    let [pushed, outcome] = [0, first.push(bytes.subarray(0, 1))];
    for (; outcome === 'more' && pushed < bytes.length; pushed += 1_000) outcome = first.push(bytes.subarray(pushed + 1, pushed + 1_001));
    expect(outcome).toMatchObject({ host: 'pypi.org' });
    expect(pushed).toBeLessThanOrEqual(66_536);
  });
});
