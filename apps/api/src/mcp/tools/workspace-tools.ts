import type { Config } from '@sandbox/config';
import type { WorkspaceService } from '@sandbox/orchestrator';
import { decodeContent } from '../../workspace/decode-content';
import { lineRange } from '../../workspace/line-range';
import { listing } from '../../workspace/listing';
import { UploadResultDto, WorkspaceListingDto } from '../../workspace/workspace.dto';
import { cutText } from './cut-text';
import { firstItems } from './first-items';
import { defineTool, type Tool } from './tool';
import {
  WorkspaceDeletedDto,
  WorkspaceListArgs,
  WorkspacePathArgs,
  WorkspaceReadArgs,
  WorkspaceReadResultDto,
  WorkspaceWriteArgs,
} from './workspace-tools.dto';

export function workspaceTools(workspace: WorkspaceService, config: Config): Tool[] {
  return [listTool(workspace, config), readTool(workspace, config), writeTool(workspace, config), deleteTool(workspace)];
}

function listTool(workspace: WorkspaceService, { MCP_MAX_OUTPUT_CHARS }: Config): Tool {
  return defineTool({
    name: 'workspace_list',
    title: 'List a directory',
    description:
      'Lists a directory of the session’s /workspace: name, type, size in bytes and time of change, sorted by name. What is below its subdirectories is listed with a depth over 1; limit keeps a large tree short. ' +
      `Of a list over ${MCP_MAX_OUTPUT_CHARS} characters the beginning comes, with truncated: list its directories one by one.`,
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: WorkspaceListArgs,
    output: WorkspaceListingDto,
    call: async ({ session_id, path = '', ...options }, { user, signal }) => {
      const { entries, truncated } = await workspace.list(user, session_id, path, signal, options);
      const first = firstItems(entries, MCP_MAX_OUTPUT_CHARS);
      return listing({ entries: first, truncated: truncated || first.length < entries.length });
    },
  });
}

function readTool(workspace: WorkspaceService, config: Config): Tool {
  return defineTool({
    name: 'workspace_read',
    title: 'Read a file',
    description: `Reads a file of the session’s /workspace, or its lines from start_line to end_line: as text where it is UTF-8, else as base64; encoding says which. Of text over ${config.MCP_MAX_OUTPUT_CHARS} characters the beginning and the end come, with truncated: read the rest by its lines. ${sizeLimit(config)}`,
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: WorkspaceReadArgs,
    output: WorkspaceReadResultDto,
    call: async ({ session_id, path, ...lines }, { user, signal }) => {
      const { content, encoding } = await workspace.readText(user, session_id, path, signal, lineRange(lines, false));
      if (encoding === 'base64') return { content, encoding };
      const shown = cutText(content, config.MCP_MAX_OUTPUT_CHARS, 'read them with start_line and end_line');
      return shown === content ? { content, encoding } : { content: shown, encoding, truncated: true };
    },
  });
}

function writeTool(workspace: WorkspaceService, config: Config): Tool {
  return defineTool({
    name: 'workspace_write',
    title: 'Write a file',
    description: `Writes a whole file of the session’s /workspace, making its parent directories and replacing what was there in one step. ${sizeLimit(config)}`,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    input: WorkspaceWriteArgs,
    output: UploadResultDto,
    call: async ({ session_id, path, content, encoding }, { user, signal }) => {
      const { path: written, size } = await workspace.write(user, session_id, path, decodeContent(content, encoding), signal);
      return { session_id, path: written, size };
    },
  });
}

function deleteTool(workspace: WorkspaceService): Tool {
  return defineTool({
    name: 'workspace_delete',
    title: 'Delete a file or directory',
    description:
      'Deletes a file of the session’s /workspace, or a directory with everything in it; not the workspace itself. NOT_FOUND where it is not there.',
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    input: WorkspacePathArgs,
    output: WorkspaceDeletedDto,
    call: async ({ session_id, path }, { user, signal }) => {
      const deleted = await workspace.delete(user, session_id, path, signal);
      return { status: 'deleted' as const, session_id, path: deleted.path };
    },
  });
}

function sizeLimit({ WORKSPACE_MAX_FILE_SIZE_BYTES: limit }: Config): string {
  return limit === 0 ? '' : `At most ${limit} bytes; larger files are a matter for execute.`;
}
