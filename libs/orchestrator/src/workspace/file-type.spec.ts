import { binaryType, imageType } from './file-type';

describe('imageType and binaryType', () => {
  it.each([
    ['89504e470d0a1a0a0000', 'image/png'],
    ['ffd8ffe0', 'image/jpeg'],
    ['474946383961', 'image/gif'],
    ['52494646ffffffff57454250', 'image/webp'],
  ])('knows an image when a file begins with %s', (hex, mimeType) => {
    expect(imageType(Buffer.from(hex, 'hex'))).toBe(mimeType);
    expect(imageType(Buffer.from(hex, 'hex').subarray(0, 2))).toBeNull();
  });

  it.each([
    ['52494646ffffffff57415645', 'audio/wav'],
    ['7f454c4602', 'application/x-elf'],
    ['0061736d01', 'application/wasm'],
    ['1f8b08', 'application/gzip'],
    [`${'00'.repeat(257)}7573746172`, 'application/x-tar'],
    ['53514c69746520666f726d6174203300', 'application/vnd.sqlite3'],
    ['', 'application/octet-stream'],
    ['00', 'application/octet-stream'],
  ])('knows no image when a file begins with %s', (hex, mimeType) => {
    expect([imageType(Buffer.from(hex, 'hex')), binaryType(Buffer.from(hex, 'hex'))]).toEqual([null, mimeType]);
  });
});
