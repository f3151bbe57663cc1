import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A private key and the certificate for it, both in PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Makes a certificate for names that its own key has signed, valid for a day. */
export function certificateFor(...names: string[]): Certificate {
  return inDirectory((path) => {
    makeRoot(path, 'own', names[0]!, subjectAltName(names));
    return read(path, 'own');
  });
}

/** Makes a certificate for names, and the authority that signs it. Both are valid for a day. */
export function certificateOfAuthority(...names: string[]): Certificate & { readonly authority: string } {
  return inDirectory((path) => {
    makeRoot(path, 'authority', 'An authority of the tests', 'basicConstraints=critical,CA:TRUE');
    writeFileSync(path('extensions'), subjectAltName(names));
    openssl('req', ...NEW_KEY, '-keyout', path('own.key'), '-out', path('request'), '-subj', `/CN=${names[0]}`);
    const signer = ['-CA', path('authority.cert'), '-CAkey', path('authority.key'), '-CAcreateserial'];
    openssl('x509', '-req', '-in', path('request'), ...signer, '-out', path('own.cert'), '-days', '1', '-extfile', path('extensions'));
    return { ...read(path, 'own'), authority: read(path, 'authority').cert };
  });
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

type PathOf = (name: string) => string;

function inDirectory<T>(make: (path: PathOf) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'certificate-'));
  try {
    return make((name) => join(directory, name));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function makeRoot(path: PathOf, name: string, subject: string, extension: string): void {
  const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.cert`)];
  openssl('req', '-x509', ...NEW_KEY, ...files, '-subj', `/CN=${subject}`, '-addext', extension, '-days', '1');
}

const read = (path: PathOf, name: string): Certificate => ({
  key: readFileSync(path(`${name}.key`), 'utf8'),
  cert: readFileSync(path(`${name}.cert`), 'utf8'),
});

const subjectAltName = (names: string[]): string => `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`;

function openssl(...parameters: string[]): void {
  execFileSync('openssl', parameters, { stdio: 'pipe' });
}
