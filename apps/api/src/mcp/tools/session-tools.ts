import type { Config } from '@sandbox/config';
import type { OrchestratorService } from '@sandbox/orchestrator';
import { CreateSessionDto, DeletedSessionDto, SessionCreatedDto, SessionIdDto } from '../../sessions/sessions.dto';
import { defineTool, type Tool } from './tool';

export function sessionTools(orchestrator: OrchestratorService, config: Config): Tool[] {
  const kept = config.WORKSPACE_PERSIST_VOLUMES ? 'Its files are kept for the next use of its name.' : 'Its files go with it.';
  return [
    defineTool({
      name: 'create_session',
      title: 'Create session',
      description:
        'Makes a session: an isolated sandbox with its own files under /workspace. Optional, since any other call makes it too, with the usual options; ' +
        'idempotent, but an option that differs from a session that is there is refused. ' +
        `A session idle for ${config.SESSION_TTL_SECONDS} seconds is removed. ${kept}`,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      input: CreateSessionDto,
      output: SessionCreatedDto,
      call: ({ session_id, ...options }, { user, signal }) => orchestrator.createSession(user, session_id, options, signal),
    }),
    defineTool({
      name: 'delete_session',
      title: 'Delete session',
      description: 'Ends a session: kills what runs in it and removes its sandbox and all its files, for good. Idempotent.',
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
      input: SessionIdDto,
      output: DeletedSessionDto,
      call: ({ session_id }, { user }) => orchestrator.deleteSession(user, session_id),
    }),
  ];
}
