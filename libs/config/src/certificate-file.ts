import { X509Certificate } from 'node:crypto';
import { readSettingFile } from './setting-file';

/** What Debian trusts is 220 KB in 144 certificates. */
const MAX_BYTES = 512 * 1024;

/**
 * Reads a file of certificates in PEM. Other text in it, such as comments, is left out.
 * @returns the certificates alone, in PEM
 * @throws Error that says what is wrong with the file. It repeats neither path nor content.
 */
export function readCertificates(path: string): string {
  const text = readSettingFile(path, MAX_BYTES, 'latin1');
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new Error('must name a file without a private key: every sandbox can read what the file has');
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length !== (text.match(/-----BEGIN CERTIFICATE-----/g) ?? []).length)
    throw new Error('names a file with a broken certificate');
  if (blocks.length === 0) throw new Error('must name a file of certificates in PEM (-----BEGIN CERTIFICATE-----), and this one has none');
  return blocks.map(toPem).join('');
}

function toPem(block: string, at: number): string {
  try {
    return new X509Certificate(block).toString();
  } catch {
    throw new Error(`names a file whose certificate number ${at + 1} cannot be read`);
  }
}
