import type { Config } from '@sandbox/config';
import type { SearchResult, WorkspaceSearchService } from '@sandbox/orchestrator';
import { givenPath } from '../../workspace/dto/given-path';
import { DEFAULT_MATCHES, type SearchResultDto } from '../../workspace/dto/search.dto';
import { firstItems } from './first-items';
import { firstSkips } from './first-skips';
import { WorkspaceFoundDto, WorkspaceSearchArgs } from './search-tool.dto';
import { sessionNews } from './session-news';
import { defineTool, type Tool } from './tool';

export function searchTool(searches: WorkspaceSearchService, { MCP_MAX_OUTPUT_CHARS }: Config): Tool {
  return defineTool({
    name: 'workspace_search',
    title: 'Search files',
    description:
      'Finds lines of text files by pattern (a Python regular expression), or without it files by glob. Hidden files too. `skipped`: what was not looked at. Ends after 10 s, with what it has found (nothing: SEARCH_TIMED_OUT): narrow pattern, glob or path.',
    annotations: { readOnlyHint: true },
    input: WorkspaceSearchArgs,
    args: {
      session_id: null,
      path: 'Directory or file',
      path_base64: null,
      glob: '*.py (by name), src/**/*.{js,ts} (by path)',
      pattern: '',
      limit: { default: DEFAULT_MATCHES },
    },
    output: WorkspaceFoundDto,
    callTool: async ({ session_id, path, path_base64, ...search }, { user, signal }) => {
      const { session_created, ...found } = await searches.searchFiles(user, session_id, givenPath({ path, path_base64 }), search, signal);
      return { ...shortened(found, MCP_MAX_OUTPUT_CHARS), ...sessionNews(session_created) };
    },
  });
}

/** Cuts an answer to what a model should read. */
function shortened({ matches, truncated, ...skips }: SearchResult, maxCharacters: number): SearchResultDto {
  const first = firstItems(matches, maxCharacters);
  return { matches: first, truncated: truncated || first.length < matches.length, ...firstSkips(skips, maxCharacters) };
}
