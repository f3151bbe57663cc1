import type { Config } from '@sandbox/config';
import type { OrchestratorService } from '@sandbox/orchestrator';
import { CreateSessionDto, DeletedSessionDto, SessionCreatedDto, SessionIdDto } from '../../sessions/sessions.dto';
import { filesFate } from '../server-instructions';
import { defineTool, type Tool } from './tool';

export function sessionTools(orchestrator: OrchestratorService, config: Config): Tool[] {
  return [
    defineTool({
      name: 'create_session',
      title: 'Create session',
      description:
        'Makes a session: an isolated Linux sandbox with its own files under /workspace. Optional: any call makes the session it names, with the usual options. ' +
        `Idempotent; options unlike those of an existing session are refused. After ${config.SESSION_TTL_SECONDS} s idle it is removed, ${filesFate(config)}.`,
      annotations: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
      input: CreateSessionDto,
      args: {
        session_id: 'A name you choose; keep to one for one piece of work',
        image: '',
        memory: 'Such as 512m, files included',
        cpus: '',
        pids: { description: 'Processes and threads', maximum: config.MAX_SESSION_PIDS ?? config.CONTAINER_PIDS_LIMIT },
        ttl_seconds: { description: 'Idle time until removal', maximum: config.MAX_SESSION_TTL_SECONDS },
        persistent: 'Its files outlive its sandbox',
        env: 'For all its commands',
        metadata: 'Notes of your own',
      },
      output: SessionCreatedDto,
      call: ({ session_id, ...options }, { user, signal }) => orchestrator.createSession(user, session_id, options, signal),
    }),
    defineTool({
      name: 'delete_session',
      title: 'Delete session',
      description: 'Ends a session and what runs in it, and removes its files for good. Idempotent.',
      annotations: { idempotentHint: true, openWorldHint: false },
      input: SessionIdDto,
      args: { session_id: null },
      output: DeletedSessionDto,
      call: ({ session_id }, { user }) => orchestrator.deleteSession(user, session_id),
    }),
  ];
}
