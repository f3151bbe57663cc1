/** Writes the parts of a TLS ClientHello by the book (RFC 8446, section 4.1.2), for tests. */

const MAX_RECORD_BYTES = 16_384;

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function u24(value: number): Buffer {
  return Buffer.from([value >> 16, (value >> 8) & 255, value & 255]);
}

export function extension(type: number, bytes: Buffer): Buffer {
  return Buffer.concat([u16(type), u16(bytes.length), bytes]);
}

export function serverNameExtension(name: string): Buffer {
  const bytes = Buffer.from(name);
  return extension(0, Buffer.concat([u16(bytes.length + 3), Buffer.from([0]), u16(bytes.length), bytes]));
}

/** @returns a ClientHello as a handshake message; no field of extensions if they are undefined */
export function clientHello(extensions: readonly Buffer[] | undefined): Buffer {
  const all = Buffer.concat(extensions ?? []);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.concat([Buffer.from([32]), Buffer.alloc(32, 8)]),
    Buffer.concat([u16(4), Buffer.from([0x13, 1, 0x13, 2])]),
    Buffer.from([1, 0]),
    ...(extensions === undefined ? [] : [u16(all.length), all]),
  ]);
  return Buffer.concat([Buffer.from([1]), u24(body.length), body]);
}

/** @returns the message in handshake records of at most `most` bytes each */
export function inRecords(message: Buffer, most = MAX_RECORD_BYTES): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += most) {
    const fragment = message.subarray(at, at + most);
    records.push(Buffer.from([22, 3, 1]), u16(fragment.length), fragment);
  }
  return Buffer.concat(records);
}
