import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { gzipped } from './gzipped';

const of = (...chunks: Buffer[]): Readable => Readable.from(chunks, { objectMode: false });

describe('gzipped', () => {
  // Numbers, since jest copies the arguments of each case, byte for byte.
  it.each([0, 1, 3_000_000])('compresses %d bytes when they do not begin as gzip does', async (length) => {
    for (const first of ['text', '\x1f']) {
      const bytes = Buffer.alloc(length, first);
      expect(gunzipSync(await buffer(gzipped(of(bytes)))).equals(bytes)).toBe(true);
    }
  });

  it('passes bytes on unchanged when they are gzip, in pieces of any size', async () => {
    const bytes = gzipSync('content');
    expect(await buffer(gzipped(of(bytes)))).toEqual(bytes);
    expect(await buffer(gzipped(of(...Array.from(bytes, (byte) => Buffer.of(byte)))))).toEqual(bytes);
  });

  it.each([Buffer.alloc(0), Buffer.from('plain'), gzipSync('x')])(
    'fails with the error of the source when the source fails',
    async (start) => {
      const source = new PassThrough();
      source.write(start);
      const result = buffer(gzipped(source));
      setImmediate(() => source.destroy(new Error('the client is gone')));
      await expect(result).rejects.toThrow('the client is gone');
    },
  );

  it.each(['plain', 'gzip'])('destroys its source when it is destroyed and the source is %s', async (form) => {
    const start = form === 'gzip' ? gzipSync('x') : Buffer.alloc(100_000);
    const source = new PassThrough();
    const result = gzipped(source);
    result.resume();
    source.write(start);
    await new Promise((resolve) => setImmediate(resolve));
    const closed = new Promise((resolve) => source.once('close', resolve));
    result.destroy();
    await closed;
  });
});
