import { isUtf8 } from 'node:buffer';
import { ErrorCode, SandboxError } from '@sandbox/errors';

const BLOCK = 512;
/** u8 kind | u32 mode | u64 modified, seconds | u64 size | u16 length of the name | u16 length of the target, big-endian (agent/PROTOCOL.md, "pack"). */
const RECORD_BYTES = 25;
const MAX_NAME_BYTES = 4096;
const [FILE, SYMLINK, DIRECTORY, PAX] = ['0', '2', '5', 'x'].map((kind) => kind.charCodeAt(0)) as [number, number, number, number];
/** What eleven octal digits hold: the largest file, and the latest time. */
const MAX_OCTAL = 8 ** 11 - 1;
const NO_BYTES = Buffer.alloc(0);
const SLASH = 0x2f;

interface Limits {
  readonly maxSize: number;
  readonly maxEntries: number;
}

/**
 * Makes a tar of the records that an agent sends of a directory. They come out of a sandbox: whatever they are, what is made of them is a
 * sound archive whose names stay below the directory into which it is unpacked, or SANDBOX_LOST is thrown. At most one record's header, and
 * no content, is held.
 */
export class TarWriter {
  private head = NO_BYTES;
  private left = 0;
  private padding = 0;
  private entries = 0;
  private size = 0;

  constructor(private readonly limits: Limits) {}

  /** What the bytes add to the archive. */
  push(chunk: Buffer): Buffer {
    const parts: Buffer[] = [];
    let rest = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk]);
    this.head = NO_BYTES;
    while (rest.length > 0) {
      if (this.left > 0) {
        const content = rest.subarray(0, this.left);
        parts.push(content);
        this.left -= content.length;
        rest = rest.subarray(content.length);
        if (this.left === 0 && this.padding > 0) parts.push(Buffer.alloc(this.padding));
        continue;
      }
      const headBytes = rest.length < RECORD_BYTES ? Infinity : RECORD_BYTES + rest.readUInt16BE(21) + rest.readUInt16BE(23);
      if (headBytes > RECORD_BYTES + 2 * MAX_NAME_BYTES && headBytes !== Infinity) throw unsound();
      if (rest.length < headBytes) {
        this.head = Buffer.from(rest);
        break;
      }
      this.begin(rest.subarray(0, headBytes), parts);
      rest = rest.subarray(headBytes);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** What ends the archive. */
  finish(): Buffer {
    if (this.head.length > 0 || this.left > 0) throw unsound();
    return Buffer.alloc(2 * BLOCK);
  }

  private begin(head: Buffer, parts: Buffer[]): void {
    const kind = head[0]!;
    const mtime = head.readBigUInt64BE(5);
    const size = head.readBigUInt64BE(13);
    const name = head.subarray(RECORD_BYTES, RECORD_BYTES + head.readUInt16BE(21));
    const link = head.subarray(RECORD_BYTES + name.length);
    if (kind !== FILE && kind !== SYMLINK && kind !== DIRECTORY) throw unsound();
    if (!isRelative(name) || (kind === SYMLINK) !== link.length > 0 || link.includes(0)) throw unsound();
    if (size > (kind === FILE ? BigInt(this.limits.maxSize - this.size) : 0n) || this.entries >= this.limits.maxEntries) throw unsound();
    this.entries += 1;
    this.left = Number(size);
    this.size += this.left;
    this.padding = (BLOCK - (this.left % BLOCK)) % BLOCK;
    const shown = kind === DIRECTORY ? Buffer.concat([name, Buffer.of(SLASH)]) : name;
    if (!isPlain(shown) || !isPlain(link)) parts.push(extension(shown, link));
    const modified = mtime > BigInt(MAX_OCTAL) ? MAX_OCTAL : Number(mtime);
    parts.push(header(kind, shown, link, head.readUInt32BE(1) & 0o777, modified, this.left));
  }
}

/** Whether it is a path of names, none of them `.` or `..`. */
function isRelative(name: Buffer): boolean {
  let start = 0;
  for (let at = 0; at <= name.length; at++) {
    const byte = at === name.length ? SLASH : name[at];
    if (byte === 0) return false;
    if (byte !== SLASH) continue;
    const length = at - start;
    if (length === 0 || (name[start] === 0x2e && (length === 1 || (length === 2 && name[start + 1] === 0x2e)))) return false;
    start = at + 1;
  }
  return name.length <= MAX_NAME_BYTES;
}

/** Whether a plain header carries it, and every reader understands it alike. */
function isPlain(text: Buffer): boolean {
  return text.length <= 100 && text.every((byte) => byte < 0x80);
}

function header(kind: number, name: Buffer, link: Buffer, mode: number, mtime: number, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  name.copy(block, 0, 0, 100);
  block.write(`${octal(mode, 7)}\x000000000\x000000000\0${octal(size, 11)}\0${octal(mtime, 11)}\0        `, 100, 'latin1');
  block[156] = kind;
  link.copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (let at = 0; at < 265; at++) sum += block[at]!;
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

/** A pax header with the exact name and target of the entry behind it. */
function extension(name: Buffer, link: Buffer): Buffer {
  const records = [record('path', name), ...(link.length > 0 ? [record('linkpath', link)] : [])];
  if (!isUtf8(name) || !isUtf8(link)) records.unshift(record('hdrcharset', Buffer.from('BINARY')));
  const content = Buffer.concat(records);
  return Buffer.concat([
    header(PAX, Buffer.from('././@PaxHeader'), NO_BYTES, 0o644, 0, content.length),
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ]);
}

/** `LENGTH KEY=VALUE\n`, where the length is the whole line's. */
function record(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length += 1;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')]);
}

function unsound(): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent no sound list of files.');
}
