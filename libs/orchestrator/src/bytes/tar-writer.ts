import { isUtf8 } from 'node:buffer';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { MAX_OCTAL, TAR_BLOCK_BYTES, tarHeader } from './tar-header';

/**
 * The fixed part of a record (agent/PROTOCOL.md, "pack"), big-endian: u8 kind | u32 mode | u64
 * modified, seconds | u64 size | u16 length of the name | u16 length of the target.
 */
const RECORD_BYTES = 25;
const MAX_NAME_BYTES = 4096;
const [FILE, SYMLINK, DIRECTORY] = ['0', '2', '5'].map((kind) => kind.charCodeAt(0)) as [number, number, number];
const NO_BYTES = Buffer.alloc(0);
const SLASH = 0x2f;

interface Limits {
  readonly maxSize: number;
  readonly maxEntries: number;
}

/**
 * Turns the records that an agent sends of a directory into a tar archive. The records come out of
 * a sandbox, so every one is checked. Either the archive is sound and its names stay below the
 * directory into which it is unpacked, or SANDBOX_LOST is thrown. Holds at most one record's header
 * and no content.
 */
export class TarWriter {
  private head = NO_BYTES;
  private left = 0;
  private padding = 0;
  private entries = 0;
  private size = 0;

  constructor(private readonly limits: Limits) {}

  /**
   * Takes the next bytes of the agent's answer, cut anywhere.
   * @returns the bytes to add to the archive
   * @throws SandboxError SANDBOX_LOST if a record makes no sense or passes a limit
   */
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

  /**
   * Ends the archive.
   * @returns its last bytes
   * @throws SandboxError SANDBOX_LOST if the last record is incomplete
   */
  finishArchive(): Buffer {
    if (this.head.length > 0 || this.left > 0) throw unsound();
    return Buffer.alloc(2 * TAR_BLOCK_BYTES);
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
    this.padding = (TAR_BLOCK_BYTES - (this.left % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
    const shown = kind === DIRECTORY ? Buffer.concat([name, Buffer.of(SLASH)]) : name;
    if (!isPlain(shown) || !isPlain(link)) parts.push(extension(shown, link));
    const modified = mtime > BigInt(MAX_OCTAL) ? MAX_OCTAL : Number(mtime);
    const mode = head.readUInt32BE(1) & 0o777;
    parts.push(tarHeader({ kind: String.fromCharCode(kind), name: shown, link, mode, modified, size: this.left }));
  }
}

/** Whether this is a relative path without empty, `.` or `..` names. */
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

/** Whether a plain header can carry this text so that every reader understands it alike. */
function isPlain(text: Buffer): boolean {
  return text.length <= 100 && text.every((byte) => byte < 0x80);
}

/** @returns a pax header with the exact name and target of the entry that follows */
function extension(name: Buffer, link: Buffer): Buffer {
  const records = [record('path', name), ...(link.length > 0 ? [record('linkpath', link)] : [])];
  if (!isUtf8(name) || !isUtf8(link)) records.unshift(record('hdrcharset', Buffer.from('BINARY')));
  const content = Buffer.concat(records);
  return Buffer.concat([
    tarHeader({ kind: 'x', name: Buffer.from('././@PaxHeader'), mode: 0o644, modified: 0, size: content.length }),
    content,
    Buffer.alloc((TAR_BLOCK_BYTES - (content.length % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES),
  ]);
}

/** @returns `LENGTH KEY=VALUE\n`. LENGTH is that of the whole line. */
function record(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length += 1;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')]);
}

function unsound(): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent no sound list of files.');
}
