import type { Config } from '@sandbox/config';
import type { FileView, WorkspaceViewService } from '@sandbox/orchestrator';
import { givenPath } from '../../workspace/dto/given-path';
import { lineRange } from '../../workspace/content/line-range';
import { cutEnds, cutText } from './cut-text';
import { WorkspaceReadArgs, WorkspaceReadResultDto } from './read-tool.dto';
import { newsBlocks, sessionNews, type SessionNewsDto } from './session-news';
import { defineTool, Shown, type Tool } from './tool';

/** Models take no larger image. */
const MAX_IMAGE_BYTES = 1024 * 1024;
/**
 * How many bytes of UTF-8 make one UTF-16 unit at most. MCP_MAX_OUTPUT_CHARS counts those units.
 */
const MAX_BYTES_PER_UNIT = 3;
const SMALLER = 'make it smaller by a command, or read its bytes with encoding: base64';

type Of<Kind extends FileView['kind']> = Extract<FileView, { kind: Kind }>;

export function readTool(views: WorkspaceViewService, config: Config): Tool {
  const { MCP_MAX_OUTPUT_CHARS: most, WORKSPACE_MAX_FILE_SIZE_BYTES: limit } = config;
  const maxImageBytes = Math.min(MAX_IMAGE_BYTES, limit || MAX_IMAGE_BYTES);
  return defineTool({
    name: 'workspace_read',
    title: 'Read a file',
    description: `Reads a file, or some of its lines, as text; a png, jpeg, gif or webp up to 1 MiB as an image; of other binaries size and type. encoding: base64 answers the first bytes of any file. Text over ${most} characters loses its middle (truncated): read it by lines.`,
    annotations: { readOnlyHint: true },
    entersSession: true,
    input: WorkspaceReadArgs,
    args: {
      session_id: null,
      path: 'Relative to /workspace, or absolute within it',
      path_base64: 'Of a path that is not UTF-8',
      start_line: 'From 1',
      end_line: 'Included',
      encoding: '',
    },
    output: WorkspaceReadResultDto,
    callTool: async ({ session_id, path, path_base64, encoding, ...query }, { user, signal }) => {
      const lines = lineRange(query, false);
      const asBytes = encoding === 'base64';
      const maxBytes = Math.min(asBytes ? 3 * Math.floor(most / 4) : MAX_BYTES_PER_UNIT * most, limit || Infinity);
      const view = await views.viewFile(
        user,
        session_id,
        givenPath({ path, path_base64 }),
        { lines, asBytes, maxBytes, maxImageBytes },
        signal,
      );
      return withNews(show(view, most, lines?.firstLine ?? 1, maxImageBytes), sessionNews(view.session_created));
    },
  });
}

function show(
  view: FileView,
  most: number,
  firstLine: number,
  maxImageBytes: number,
): WorkspaceReadResultDto | Shown<WorkspaceReadResultDto> {
  switch (view.kind) {
    case 'text':
      return text(view, most, firstLine);
    case 'bytes':
      return bytes(view);
    case 'image':
      return image(view);
    case 'binary':
      return binary(view, maxImageBytes);
  }
}

function withNews(
  answer: WorkspaceReadResultDto | Shown<WorkspaceReadResultDto>,
  news: SessionNewsDto,
): WorkspaceReadResultDto | Shown<WorkspaceReadResultDto> {
  if (!(answer instanceof Shown)) return { ...answer, ...news };
  return new Shown({ ...answer.result, ...news }, [...answer.content, ...newsBlocks(news)]);
}

function text({ text: { encoding, exact, head, tail }, omitted }: Of<'text'>, most: number, firstLine: number): WorkspaceReadResultDto {
  const content =
    omitted === 0 ? cutText(head, most, 'read them with start_line and end_line') : cutEnds(head, tail, most, leftOut(omitted, firstLine));
  return {
    content,
    encoding: 'utf8',
    ...((omitted > 0 || content !== head) && { truncated: true }),
    ...((encoding !== 'utf-8' || !exact) && { encoding_detected: encoding }),
  };
}

/** Says what is missing in the middle of a text. */
function leftOut(omitted: number, firstLine: number): (head: string) => string {
  return (head) => {
    const lines = head.split('\n').length - 1;
    const next =
      lines > 0 ? `go on with start_line ${firstLine + lines}` : 'its lines are long: read parts of them by a command, such as cut -c';
    return `over ${omitted} bytes left out; ${next}`;
  };
}

function bytes({ bytes: first, omitted, ...file }: Of<'bytes'>): WorkspaceReadResultDto {
  const whole = { content: first.toString('base64'), encoding: 'base64' as const, ...named(file) };
  return omitted === 0 ? whole : { ...whole, truncated: true };
}

function image({ mimeType, bytes: whole, ...file }: Of<'image'>): Shown<WorkspaceReadResultDto> {
  return new Shown({ ...named(file), mime_type: mimeType }, [
    { type: 'image', data: whole.toString('base64'), mimeType },
    { type: 'text', text: `${file.path}: ${mimeType}, ${file.size} bytes` },
  ]);
}

function binary({ mimeType, ...file }: Of<'binary'>, maxImageBytes: number): Shown<WorkspaceReadResultDto> {
  const large = mimeType.startsWith('image/') && file.size > maxImageBytes;
  const instead = large
    ? `an image over ${maxImageBytes} bytes is not shown; ${SMALLER}`
    : 'no text; use a command to look into it, or read its bytes with encoding: base64';
  const said = `${file.path}: ${mimeType}, ${file.size} bytes; ${instead}`;
  return new Shown({ ...named(file), mime_type: mimeType }, [{ type: 'text', text: said }]);
}

/** @returns what the answer says of a file besides its content */
function named({ path, path_base64, size }: Pick<FileView, 'path' | 'path_base64' | 'size'>): Partial<WorkspaceReadResultDto> {
  return { path, ...(path_base64 !== undefined && { path_base64 }), size };
}
