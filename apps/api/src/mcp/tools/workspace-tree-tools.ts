import type { Config } from '@sandbox/config';
import type { SearchResult, WorkspaceTreeService } from '@sandbox/orchestrator';
import { EDIT_ADVICE, withSizeAdvice } from '../../workspace/size-advice';
import { edited } from '../../workspace/edited';
import { givenPath } from '../../workspace/given-path';
import { EditResultDto, SearchResultDto } from '../../workspace/workspace-tree.dto';
import { cutText } from './cut-text';
import { firstItems } from './first-items';
import { defineTool, type Tool } from './tool';
import { WorkspaceEditArgs, WorkspaceSearchArgs } from './workspace-tree-tools.dto';

const MAX_SKIPPED_CHARACTERS = 2000;

export function workspaceTreeTools(tree: WorkspaceTreeService, config: Config): Tool[] {
  return [searchTool(tree, config), editTool(tree, config)];
}

function searchTool(tree: WorkspaceTreeService, { MCP_MAX_OUTPUT_CHARS }: Config): Tool {
  return defineTool({
    name: 'workspace_search',
    title: 'Search files',
    description:
      'Finds lines of text files by pattern (a Python regular expression), or without it files by glob. Hidden files too; links are not followed. `skipped`: what was not looked at. Ends after 10 s, with what it has found (nothing: SEARCH_TIMED_OUT): narrow pattern, glob or path.',
    annotations: { readOnlyHint: true },
    input: WorkspaceSearchArgs,
    args: {
      session_id: null,
      path: 'Directory or file',
      path_base64: null,
      glob: '*.py (by name), src/**/*.{js,ts} (by path)',
      pattern: '',
      limit: '',
    },
    output: SearchResultDto,
    call: async ({ session_id, path, path_base64, ...search }, { user, signal }) =>
      shortened(await tree.search(user, session_id, givenPath({ path, path_base64 }), search, signal), MCP_MAX_OUTPUT_CHARS),
  });
}

/** Cuts an answer to what a model should read. The skipped files get only a small share. */
function shortened({ matches, truncated, skipped, skipped_total }: SearchResult, maxCharacters: number): SearchResultDto {
  const first = firstItems(matches, maxCharacters);
  const firstSkipped = firstItems(skipped, Math.min(maxCharacters, MAX_SKIPPED_CHARACTERS));
  const total = skipped_total ?? skipped.length;
  return {
    matches: first,
    truncated: truncated || first.length < matches.length,
    skipped: firstSkipped,
    ...(total > firstSkipped.length ? { skipped_total: total } : {}),
  };
}

function editTool(tree: WorkspaceTreeService, { WORKSPACE_MAX_FILE_SIZE_BYTES: limit, MCP_MAX_OUTPUT_CHARS }: Config): Tool {
  return defineTool({
    name: 'workspace_edit',
    title: 'Edit a file',
    description: [
      'Replaces pieces of a text file. Each old must be there exactly once, white space included, or with all at least once: give enough of what is around it.',
      'Edits apply in order, all or none; EDIT_NOT_APPLICABLE says which did not, and why. Answers a unified diff.',
      ...(limit === 0 ? [] : [`At most ${limit} bytes, before and after.`]),
    ].join(' '),
    annotations: { openWorldHint: false },
    input: WorkspaceEditArgs,
    args: { session_id: null, path: '', path_base64: null, edits: '' },
    output: EditResultDto,
    call: async ({ session_id, edits, ...path }, { user, signal }) => {
      const edit = () => tree.edit(user, session_id, givenPath(path), edits, signal);
      const { diff, etag, truncated } = await withSizeAdvice(EDIT_ADVICE, edit);
      const shown = cutText(diff, MCP_MAX_OUTPUT_CHARS, 'workspace_read shows the file');
      return edited({ diff: shown, etag, truncated: truncated || shown !== diff });
    },
    text: ({ diff }) => diff,
  });
}
