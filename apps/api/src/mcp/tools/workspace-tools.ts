import type { Config } from '@sandbox/config';
import type { WorkspaceEntriesService, WorkspaceService } from '@sandbox/orchestrator';
import { decodeContent } from '../../workspace/content/decode-content';
import { fileMode } from '../../workspace/dto/file-mode';
import { givenPath } from '../../workspace/dto/given-path';
import { listing } from '../../workspace/content/listing';
import { withSizeAdvice } from '../../workspace/content/size-advice';
import { firstItems } from './first-items';
import { firstSkips } from './first-skips';
import { defineTool, type Tool } from './tool';
import { sessionNews } from './session-news';
import {
  WorkspaceDeletedDto,
  WorkspaceListArgs,
  WorkspaceListedDto,
  WorkspacePathArgs,
  WorkspaceWriteArgs,
  WorkspaceWrittenDto,
} from './workspace-tools.dto';

const PIECES =
  'Write it in pieces of up to 1 MiB, each as stdin of execute with the command `cat >> FILE`, or `base64 -d >> FILE` for bytes that are no text.';

export function workspaceTools(workspace: WorkspaceService, entries: WorkspaceEntriesService, config: Config): Tool[] {
  return [listTool(entries, config), writeTool(workspace, config), deleteTool(entries)];
}

function listTool(service: WorkspaceEntriesService, { MCP_MAX_OUTPUT_CHARS }: Config): Tool {
  return defineTool({
    name: 'workspace_list',
    title: 'List a directory',
    description:
      'Lists a directory by name. A depth over 1 goes into subdirectories. ' +
      `Past ${MCP_MAX_OUTPUT_CHARS} characters the rest is left out (truncated).`,
    annotations: { readOnlyHint: true },
    entersSession: true,
    input: WorkspaceListArgs,
    args: { session_id: null, path: null, path_base64: null, depth: '', limit: '' },
    output: WorkspaceListedDto,
    callTool: async ({ session_id, path, path_base64, ...options }, { user, signal }) => {
      const directory = givenPath({ path, path_base64 });
      const { entries, truncated, session_created, ...skips } = await service.listEntries(user, session_id, directory, signal, options);
      const first = firstItems(entries, MCP_MAX_OUTPUT_CHARS);
      const shown = { entries: first, truncated: truncated || first.length < entries.length, ...firstSkips(skips, MCP_MAX_OUTPUT_CHARS) };
      return { ...listing(shown), ...sessionNews(session_created) };
    },
  });
}

function writeTool(workspace: WorkspaceService, config: Config): Tool {
  return defineTool({
    name: 'workspace_write',
    title: 'Write a file',
    description: `Writes a whole file in one step, and makes its directories. ${sizeLimit(config)}`,
    annotations: { idempotentHint: true, openWorldHint: false },
    entersSession: true,
    input: WorkspaceWriteArgs,
    args: { session_id: null, path: '', path_base64: null, content: '', encoding: '', mode: 'Such as 755' },
    output: WorkspaceWrittenDto,
    callTool: async ({ session_id, content, encoding, mode, ...path }, { user, signal }) => {
      const bytes = decodeContent(content, encoding);
      const write = () => workspace.writeFile(user, session_id, givenPath(path), bytes, signal, { mode: fileMode(mode) });
      const { etag: _etag, created: _created, session_created, ...written } = await withSizeAdvice(PIECES, write);
      return { session_id, ...written, ...sessionNews(session_created) };
    },
  });
}

function deleteTool(service: WorkspaceEntriesService): Tool {
  return defineTool({
    name: 'workspace_delete',
    title: 'Delete a file or directory',
    description: 'Deletes a file, or a directory with all in it.',
    annotations: { idempotentHint: true, openWorldHint: false },
    input: WorkspacePathArgs,
    args: { session_id: null, path: '', path_base64: null },
    output: WorkspaceDeletedDto,
    callTool: async ({ session_id, ...path }, { user, signal }) => {
      const { session_created, ...deleted } = await service.deleteEntry(user, session_id, givenPath(path), signal);
      return { status: 'deleted' as const, session_id, ...deleted, ...sessionNews(session_created) };
    },
  });
}

function sizeLimit({ WORKSPACE_MAX_FILE_SIZE_BYTES: limit }: Config): string {
  return limit === 0 ? '' : `At most ${limit} bytes; use execute for larger files.`;
}
