/** What the beginning of a connection says. `more`: it can say no more before `needed` bytes. */
export type ServerName =
  | { readonly state: 'more'; readonly needed: number }
  | { readonly state: 'found'; readonly name: string }
  | { readonly state: 'none' }
  | { readonly state: 'malformed' };

/** A hello with its record headers may have this many bytes. Real ones have 200 to 2,000. */
const MAX_HELLO_BYTES = 65_536;

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
const MAX_RECORD_BYTES = 16_384;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;

const NONE: ServerName = { state: 'none' };
const MALFORMED: ServerName = { state: 'malformed' };

/**
 * Reads the server name from the ClientHello that a TLS connection begins with (RFC 8446, section
 * 4.1.2, and RFC 6066, section 3). The hello may be split over records, as some programs do to
 * evade a look at it.
 *
 * An encrypted hello (RFC 9849) has an outer name, which is the one found. A server behind the same
 * front may then be asked for by another. That cannot be told from the filler that browsers send.
 * @param bytes all bytes of the connection so far, or more of them than `needed` said before
 */
export function readServerName(bytes: Buffer): ServerName {
  const pieces: Buffer[] = [];
  let collected = 0;
  // The bytes of the hello with its header. Until that header is there, they are at least these.
  let hello = HANDSHAKE_HEADER_BYTES;
  let at = 0;
  for (;;) {
    const header = bytes.subarray(at, at + RECORD_HEADER_BYTES);
    if (!canBeginRecord(header)) return MALFORMED;
    const fragment = at + RECORD_HEADER_BYTES;
    if (header.length < RECORD_HEADER_BYTES) return moreUnlessTooMany(fragment + hello - collected);
    const end = fragment + header.readUInt16BE(3);
    if (end === fragment || end > fragment + MAX_RECORD_BYTES) return MALFORMED;
    const piece = bytes.subarray(fragment, end);
    pieces.push(piece);
    collected += piece.length;
    if (hello === HANDSHAKE_HEADER_BYTES && collected > 0) {
      const message = Buffer.concat(pieces);
      if (message[0] !== CLIENT_HELLO) return MALFORMED;
      if (collected >= HANDSHAKE_HEADER_BYTES) hello += message.readUIntBE(1, 3);
    }
    // A hello without a body would be read again and again, and none is so short.
    if (collected >= HANDSHAKE_HEADER_BYTES && hello === HANDSHAKE_HEADER_BYTES) return MALFORMED;
    if (collected >= hello) return nameInHello(Buffer.concat(pieces, hello).subarray(HANDSHAKE_HEADER_BYTES));
    if (bytes.length < end) {
      const missing = hello - collected;
      const isInThisRecord = missing <= end - bytes.length;
      return moreUnlessTooMany(bytes.length + missing + (isInThisRecord ? 0 : RECORD_HEADER_BYTES));
    }
    at = end;
  }
}

/** Whether what is there of a record header can begin a handshake record of SSL 3.0 or later. */
function canBeginRecord(header: Buffer): boolean {
  return (header.length < 1 || header[0] === HANDSHAKE_RECORD) && (header.length < 2 || header[1] === 3);
}

/**
 * @param needed the least that can complete the hello. A caller that waits for it reads the hello a
 *   few times, even if each byte comes alone in a record of its own
 */
function moreUnlessTooMany(needed: number): ServerName {
  return needed > MAX_HELLO_BYTES ? MALFORMED : { state: 'more', needed };
}

function nameInHello(hello: Buffer): ServerName {
  const fields = new Fields(hello);
  fields.skip(2 + 32);
  fields.vector(1);
  fields.vector(2);
  fields.vector(1);
  if (fields.isAtEnd) return fields.isWhole ? NONE : MALFORMED;
  const extensions = new Fields(fields.vector(2));
  let found: ServerName = NONE;
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const extension = extensions.vector(2);
    if (type !== SERVER_NAME) continue;
    if (found !== NONE) return MALFORMED;
    found = nameInExtension(extension);
  }
  return fields.isWhole && extensions.isWhole && fields.isAtEnd ? found : MALFORMED;
}

/** The extension holds a list. RFC 6066 allows one name of each type, and only host names exist. */
function nameInExtension(extension: Buffer): ServerName {
  const outer = new Fields(extension);
  const list = new Fields(outer.vector(2));
  const type = list.number(1);
  const name = list.vector(2);
  const isSound = outer.isWhole && outer.isAtEnd && list.isWhole && list.isAtEnd && type === HOST_NAME;
  // A name is ASCII. Other bytes might be taken for a name in Unicode, which they are not.
  const isAscii = name.length > 0 && name.every((byte) => byte > 0x20 && byte < 0x7f);
  return isSound && isAscii ? { state: 'found', name: name.toString('latin1') } : MALFORMED;
}

/** Reads fields of a message in turn. What ends too early reads as zeros, and is not whole. */
class Fields {
  private at = 0;
  private isCut = false;

  constructor(private readonly bytes: Buffer) {}

  /** Whether everything that was read was there. */
  get isWhole(): boolean {
    return !this.isCut;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  number(size: 1 | 2): number {
    const field = this.skip(size);
    return field.length < size ? 0 : field.readUIntBE(0, size);
  }

  /** Reads a vector: its length, in `size` bytes, and that many bytes. */
  vector(size: 1 | 2): Buffer {
    return this.skip(this.number(size));
  }

  skip(length: number): Buffer {
    const field = this.bytes.subarray(this.at, this.at + length);
    if (field.length < length) this.isCut = true;
    this.at += length;
    return field;
  }
}
