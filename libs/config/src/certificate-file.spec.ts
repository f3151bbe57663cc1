import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { ConfigError, loadConfig } from '@sandbox/config';

/** In lines of 64 characters (RFC 7468). Node has longer ones. */
const roots = rootCertificates.map((pem) => new X509Certificate(pem).toString());
const [first, second] = roots as [string, string];

describe('EGRESS_CA_FILE', () => {
  let directory: string;
  let path: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'hunter2-'));
    path = join(directory, 'ca.pem');
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const load = (file: string) => loadConfig({ EGRESS_CA_FILE: file }, { needsAuth: false }).EGRESS_CA_FILE;
  const problemOf = (file: string): string => {
    try {
      load(file);
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.join('\n');
      throw error;
    }
    return '';
  };

  it('is null when it is not set', () => {
    expect(load('')).toBeNull();
  });

  it('has the certificates, and no other text, when the file has both', () => {
    writeFileSync(path, `# A comment\n${first}\nSubject: two\n${second.replaceAll('\n', '\r\n')}`);
    expect(load(path)).toBe(first + second);
  });

  it('takes what the host itself trusts when the file is that', () => {
    writeFileSync(path, rootCertificates.join('\n'));
    expect(load(path)).toBe(roots.join(''));
  });

  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  it.each<[string, string | Buffer, RegExp]>([
    ['is empty', '', /this one has none$/],
    ['has other text alone', 'hunter2', /this one has none$/],
    ['has certificates in DER', Buffer.from(first.split('\n').slice(1, -1).join(''), 'base64'), /this one has none$/],
    ['has a private key too', `${first}\n${key}`, /without a private key/],
    ['has a private key in another form', `${first}\n-----BEGIN RSA PRIVATE KEY-----\n`, /without a private key/],
    ['has a certificate that breaks off', `${first}\n${second.slice(0, 500)}`, /broken certificate/],
    ['has a certificate that is none', `${first}\n${second.replace(/MII..../, 'AAAAAAA')}`, /certificate number 2 cannot be read/],
    ['is too large', `${first}\n`.padEnd(512 * 1024 + 1), /at most 524288 bytes/],
  ])('is refused when the file %s', (_what, content, expected) => {
    writeFileSync(path, content);
    expect(problemOf(path)).toMatch(expected);
    expect(problemOf(path)).toMatch(/^EGRESS_CA_FILE /);
    expect(problemOf(path)).not.toContain('hunter2');
  });

  it.each([
    ['is absent', 'absent', 'ENOENT'],
    ['is a directory', '.', 'no regular file'],
    ['is a pipe that nobody writes to', 'pipe', 'no regular file'],
  ])('is refused when the file %s', (_what, name, reason) => {
    if (name === 'pipe') execFileSync('mkfifo', [join(directory, name)]);
    expect(problemOf(join(directory, name))).toBe(`EGRESS_CA_FILE must name a file that can be read (${reason})`);
  });
});
