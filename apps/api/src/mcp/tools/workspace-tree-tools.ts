import type { Config } from '@sandbox/config';
import type { WorkspaceTreeService } from '@sandbox/orchestrator';
import { edited } from '../../workspace/edited';
import { EditResultDto, SearchResultDto } from '../../workspace/workspace-tree.dto';
import { cutText } from './cut-text';
import { firstItems } from './first-items';
import { defineTool, type Tool } from './tool';
import { WorkspaceEditArgs, WorkspaceSearchArgs } from './workspace-tree-tools.dto';

export function workspaceTreeTools(tree: WorkspaceTreeService, config: Config): Tool[] {
  return [searchTool(tree, config), editTool(tree, config)];
}

function searchTool(tree: WorkspaceTreeService, { MCP_MAX_OUTPUT_CHARS }: Config): Tool {
  return defineTool({
    name: 'workspace_search',
    title: 'Search files',
    description:
      'Searches the session’s /workspace: with pattern, a Python regular expression, for lines of text files (path, line number, line); without it for files, by glob. Hidden files are searched too, links are not followed. A search over 10 seconds ends with SEARCH_TIMED_OUT: give a simpler pattern, or a glob or path that leaves fewer files.',
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: WorkspaceSearchArgs,
    output: SearchResultDto,
    call: async ({ session_id, path = '', ...search }, { user, signal }) => {
      const { matches, truncated } = await tree.search(user, session_id, path, search, signal);
      const first = firstItems(matches, MCP_MAX_OUTPUT_CHARS);
      return { matches: first, truncated: truncated || first.length < matches.length };
    },
  });
}

function editTool(tree: WorkspaceTreeService, { WORKSPACE_MAX_FILE_SIZE_BYTES: limit, MCP_MAX_OUTPUT_CHARS }: Config): Tool {
  return defineTool({
    name: 'workspace_edit',
    title: 'Edit a file',
    description: [
      'Edits a text file of the session’s /workspace by replacing pieces of it. Each old text has to be in the file exactly once, white space included, or anywhere with all; give enough of what is around it.',
      'The edits apply in order, all of them or none: EDIT_NOT_APPLICABLE says which one did not match and how often it is there. The answer is a unified diff.',
      ...(limit === 0 ? [] : [`At most ${limit} bytes of file, before and after.`]),
    ].join(' '),
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    input: WorkspaceEditArgs,
    output: EditResultDto,
    call: async ({ session_id, path, edits }, { user, signal }) => {
      const { diff, etag, truncated } = await tree.edit(user, session_id, path, edits, signal);
      const shown = cutText(diff, MCP_MAX_OUTPUT_CHARS, 'workspace_read shows the file');
      return edited({ diff: shown, etag, truncated: truncated || shown !== diff });
    },
    text: ({ diff }) => diff,
  });
}
