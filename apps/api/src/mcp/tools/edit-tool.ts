import type { Config } from '@sandbox/config';
import type { WorkspaceEditService } from '@sandbox/orchestrator';
import { edited } from '../../workspace/content/edited';
import { givenPath } from '../../workspace/dto/given-path';
import { EDIT_ADVICE, withSizeAdvice } from '../../workspace/content/size-advice';
import { cutText } from './cut-text';
import { WorkspaceEditArgs, WorkspaceEditedDto } from './edit-tool.dto';
import { newsText, sessionNews } from './session-news';
import { defineTool, type Tool } from './tool';

export function editTool(edits: WorkspaceEditService, { WORKSPACE_MAX_FILE_SIZE_BYTES: limit, MCP_MAX_OUTPUT_CHARS }: Config): Tool {
  return defineTool({
    name: 'workspace_edit',
    title: 'Edit a file',
    description: [
      'Replaces pieces of a text file. Each old must be there exactly once, white space included, or with all at least once.',
      'Edits apply in order, all or none; EDIT_NOT_APPLICABLE says which did not, and why. Answers a unified diff.',
      ...(limit === 0 ? [] : [`At most ${limit} bytes, before and after.`]),
    ].join(' '),
    annotations: { openWorldHint: false },
    input: WorkspaceEditArgs,
    args: { session_id: null, path: '', path_base64: null, edits: '' },
    output: WorkspaceEditedDto,
    callTool: async ({ session_id, edits: wanted, ...path }, { user, signal }) => {
      const edit = () => edits.editFile(user, session_id, givenPath(path), wanted, signal);
      const { diff, etag, truncated, session_created } = await withSizeAdvice(EDIT_ADVICE, edit);
      const shown = cutText(diff, MCP_MAX_OUTPUT_CHARS, 'workspace_read shows the file');
      return { ...edited({ diff: shown, etag, truncated: truncated || shown !== diff }), ...sessionNews(session_created) };
    },
    text: ({ diff, ...news }) => [...newsText(news), diff].join('\n'),
  });
}
