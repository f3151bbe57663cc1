import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { SandboxError } from '@sandbox/errors';
import { fuzz, type Random } from '../../../../../test/support/fuzzing';
import { receiveUpload } from './upload';

const BOUNDARY = 'b';
const LINE = '\r\n';
const HEADERS = [
  'Content-Disposition: form-data; name="file"; filename="f"',
  'Content-Disposition: form-data; name="file"; filename=',
  'Content-Disposition: form-data; filename="f"',
  'Content-Disposition: form-data; name="file"',
  'Content-Disposition: form-data; name',
  "Content-Disposition: form-data; name*=x'y'%zz; filename*=utf-9''%ff",
  'Content-Disposition: form-data;;;=;"',
  'Content-Disposition: form-data; name="file"; filename="a\nb"',
  'Content-Disposition: attachment',
  'Content-Disposition:',
  'Content-Type: application/octet-stream',
  'Content-Type: text/plain; charset',
  'Content-Type: text/plain; charset=nothing',
  'Content-Transfer-Encoding: base64',
  ': nameless',
  'no colon',
  ' folded',
  '\0\xff',
  `X: ${'x'.repeat(20_000)}`,
];
const PIECES = [
  `--${BOUNDARY}`,
  `--${BOUNDARY}--`,
  LINE,
  LINE + LINE,
  '\n',
  '--',
  'content',
  '',
  `${LINE}--${BOUNDARY}`,
  `${LINE}--${BOUNDARY}--${LINE}`,
  '\0'.repeat(70_000),
  ...HEADERS,
];

const one = <T>(random: Random, of: readonly T[]): T => of[random(of.length)]!;
const some = <T>(random: Random, most: number, of: readonly T[]): T[] => Array.from({ length: random(most) }, () => one(random, of));

/** Well-formed parts or any other pieces, sometimes cut off. */
function body(random: Random): Buffer {
  const part = (): string => `--${BOUNDARY}${LINE}${some(random, 4, HEADERS).join(LINE)}${LINE}${LINE}${one(random, PIECES)}${LINE}`;
  const formed = `${Array.from({ length: random(4) }, part).join('')}--${BOUNDARY}--${LINE}`;
  const text = random(2) === 0 ? formed : some(random, 12, PIECES).join('');
  const bytes = Buffer.from(text, 'latin1');
  return random(3) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

function pieces(random: Random, bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random(one(random, [1, 3, 40, 100_000]));
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

it('stores a file whole or not at all, and answers, when the form is anything', async () => {
  const outcomes = new Map<string, number>();
  await fuzz(1_500, async (random) => {
    const request = Object.assign(Readable.from(pieces(random, body(random))), {
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      complete: true,
    });
    const failed: unknown[] = [];
    const upload = receiveUpload(request as unknown as IncomingMessage, 0, async (_name, content) => {
      content.once('error', (error) => failed.push(error));
      return buffer(content);
    });
    const outcome = await Promise.race([
      upload.then(
        () => 'stored',
        (error: unknown) => (error instanceof SandboxError ? error.code : Promise.reject(error as Error)),
      ),
      once(AbortSignal.timeout(20_000), 'abort').then(() => 'no answer'),
    ]);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (outcome === 'no answer' || (outcome === 'stored' && failed.length > 0)) throw new Error(outcome);
  });
  expect([...outcomes.keys()].sort()).toEqual(['BAD_REQUEST', 'VALIDATION_FAILED', 'stored']);
}, 120_000);
