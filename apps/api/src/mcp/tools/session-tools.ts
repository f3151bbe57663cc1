import type { Type } from '@nestjs/common';
import { OmitType } from '@nestjs/swagger';
import type { Config } from '@sandbox/config';
import { formatSize, type RuntimeCapabilities, ruleTexts, sessionLimits, type SessionsService } from '@sandbox/orchestrator';
import { CreateSessionDto, DeletedSessionDto, SessionCreatedDto, SessionIdDto } from '../../sessions/sessions.dto';
import type { JsonSchema } from './dto-schema';
import { filesFate } from './server-instructions';
import { defineTool, type Tool } from './tool';

/**
 * A longer list of images costs every conversation more than it is worth. A refusal still lists
 * them.
 */
const MAX_IMAGES_CHARACTERS = 200;
const MAX_RULES_CHARACTERS = 200;

/** Where no disk is offered, no conversation pays for the argument. */
class WithoutDiskDto extends OmitType(CreateSessionDto, ['disk']) {}

/** The words tell the form of a size, so its pattern is left out. */
const size = (description: string): JsonSchema => ({ description, pattern: undefined });

export function sessionTools(sessions: SessionsService, config: Config, capabilities: Pick<RuntimeCapabilities, 'pids'>): Tool[] {
  const most = sessionLimits(config);
  return [
    defineTool({
      name: 'create_session',
      title: 'Create session',
      description:
        'Makes a session: an isolated Linux sandbox with its own files under /workspace. Optional: any call makes the session it names. ' +
        `Idempotent; options unlike those of an existing session are refused. After ${config.SESSION_TTL_SECONDS} s idle it is removed, ${filesFate(config)}.`,
      annotations: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
      input: most.disk === null ? (WithoutDiskDto as Type<CreateSessionDto>) : CreateSessionDto,
      args: {
        session_id: 'A name you choose; keep to one for one piece of work',
        image: most.images.join().length > MAX_IMAGES_CHARACTERS ? '' : { enum: most.images },
        memory: size(`At most ${formatSize(most.memory)}, files included`),
        disk: size(`/workspace on disk: at most ${formatSize(most.disk ?? 0)}`),
        cpus: { maximum: most.cpus },
        pids: { maximum: most.pids },
        ttl_seconds: { description: 'Idle time', maximum: most.ttl_seconds },
        persistent: 'Its files outlive its sandbox',
        env: 'For all its commands',
        metadata: '',
        network: `Names it may reach: pypi.org, *.x.org, x.org:22, or a preset: packages, git; within ${ruleTexts(config.EGRESS_ALLOW).join(' ').slice(0, MAX_RULES_CHARACTERS)}`,
      },
      leaveOut: [...(config.EGRESS_ALLOW.length === 0 ? ['network' as const] : []), ...(capabilities.pids ? [] : ['pids' as const])],
      output: SessionCreatedDto,
      callTool: ({ session_id, ...options }, { user, signal }) => sessions.createSession(user, session_id, options, signal),
    }),
    defineTool({
      name: 'delete_session',
      title: 'Delete session',
      description: 'Ends a session and what runs in it, and removes its files for good. Idempotent.',
      annotations: { idempotentHint: true, openWorldHint: false },
      input: SessionIdDto,
      args: { session_id: null },
      output: DeletedSessionDto,
      callTool: ({ session_id }, { user }) => sessions.deleteSession(user, session_id),
    }),
  ];
}
