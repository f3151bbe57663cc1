import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import { parseCount, unsound } from '../channel/agent-values';
import { collectedFileCall, FILE_CALL_DEADLINE_MS, type FileCallNews, notRoot } from './file-call';
import { binaryType, IMAGE_BEGINNINGS, imageType } from './file-type';
import { SessionEntrance } from '../entering/session-entrance';
import { type DecodedText, decodeText, utf16Of } from './text-encoding';
import { parseFileHeader, parseJsonObject } from './workspace-answers';
import { type GivenPath, workspaceFile, type WorkspacePath } from '../paths/workspace-path';
import type { LineRange } from './workspace.service';

/** A file in the form in which a reader sees it. */
export type FileView = WorkspacePath & {
  /** Bytes of the whole file. */
  readonly size: number;
} & (
    | { readonly kind: 'image'; readonly mimeType: string; readonly bytes: Buffer }
    | { readonly kind: 'binary'; readonly mimeType: string }
    /** The first bytes of what the caller asked for; `omitted` more follow. */
    | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly omitted: number }
    /** The beginning and the end of what the caller asked for; `omitted` bytes are between them. */
    | { readonly kind: 'text'; readonly text: DecodedText; readonly omitted: number }
  );

/** The form in which a reader wants to see a file. */
export interface ViewOptions {
  /** The lines of a text to show. An image is shown whole. */
  readonly lines?: LineRange;
  /** Show bytes, whatever they are. */
  readonly asBytes: boolean;
  /** The most bytes to show of anything but an image. */
  readonly maxBytes: number;
  /** An image with more bytes is shown like other binaries, by size and type. */
  readonly maxImageBytes: number;
}

/** The line before a file's bytes is shorter, even with the 512 bytes that it may repeat. */
const MAX_HEADER_BYTES = 4096;

/**
 * Shows files of a session's /workspace in the form that fits their type. A session is created on
 * first use.
 */
@Injectable()
export class WorkspaceViewService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /**
   * Shows a file in one call to the agent, which sends no more than is shown.
   * @throws SandboxError as WorkspaceService.openRead
   */
  async viewFile(
    user: User,
    sessionId: string,
    path: GivenPath,
    options: ViewOptions,
    signal?: AbortSignal,
  ): Promise<FileView & FileCallNews> {
    const { lines, asBytes, maxBytes, maxImageBytes } = options;
    // An even number, so that no UTF-16 unit is cut.
    const half = 2 * Math.floor(maxBytes / 4);
    const excerpt = asBytes
      ? { head: maxBytes, tail: 0, whole: [], max_whole: 0 }
      : { head: half, tail: half, whole: IMAGE_BEGINNINGS, max_whole: maxImageBytes };
    const { output, session_created } = await collectedFileCall(
      this,
      'workspace_read',
      { user, sessionId, path },
      (file) => ({
        op: 'read',
        ...notRoot(file),
        offset: 0,
        length: null,
        max_length: 0,
        lines: lines && [lines.firstLine, lines.lastLine ?? null],
        excerpt,
      }),
      { deadlineMs: FILE_CALL_DEADLINE_MS, signal },
      { maxBytes: MAX_HEADER_BYTES + Math.max(maxBytes, maxImageBytes), detail: 'The sandbox sent more than it was asked for.' },
    );
    return { ...viewOf(workspaceFile(path), output, options, half), session_created };
  }
}

function viewOf(named: WorkspacePath, output: Buffer, { asBytes, maxImageBytes }: ViewOptions, half: number): FileView {
  const { size, offset, beginning, omitted, bytes } = parseExcerpt(output);
  const file = { ...named, size };
  if (asBytes) return { ...file, kind: 'bytes', bytes, omitted };
  const [head, tail] = omitted === 0 ? [bytes, bytes.subarray(bytes.length)] : [bytes.subarray(0, half), bytes.subarray(half)];
  const utf16 = utf16Of(beginning);
  const tailAt = offset + head.length + omitted;
  const text = decodeText(head, utf16 !== null && tailAt % 2 === 1 ? tail.subarray(1) : tail, omitted > 0, utf16);
  if (text !== null) return { ...file, kind: 'text', text, omitted };
  const mimeType = imageType(beginning);
  const isWhole = omitted === 0 && bytes.length === size;
  if (mimeType !== null && isWhole && size <= maxImageBytes) return { ...file, kind: 'image', mimeType, bytes };
  return { ...file, kind: 'binary', mimeType: binaryType(beginning) };
}

/**
 * Reads the agent's answer to a view.
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends
 */
function parseExcerpt(output: Buffer): { size: number; offset: number; beginning: Buffer; omitted: number; bytes: Buffer } {
  const end = output.indexOf(0x0a);
  if (end === -1) throw unsound();
  const { size, offset, length } = parseFileHeader(output.subarray(0, end));
  const { beginning, omitted } = parseJsonObject(output.toString('utf8', 0, end));
  const bytes = output.subarray(end + 1);
  if (typeof beginning !== 'string' || bytes.length !== length) throw unsound();
  return { size, offset, beginning: Buffer.from(beginning, 'hex'), omitted: parseCount(omitted), bytes };
}
