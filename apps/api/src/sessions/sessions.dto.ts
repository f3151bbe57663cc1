import { ApiProperty } from '@nestjs/swagger';
import type { CreatedSession, SessionInfo } from '@sandbox/orchestrator';
import { SessionNetwork } from './network-rules';
import { Decimal, Environment, Flag, Pattern, Text, Whole } from '../validation/fields';
import { MAX_ENV_BYTES } from '../validation/rules';
import { Metadata, MetadataFilter } from './metadata';

/** A size as Docker's clients write it. */
const SIZE = /^\d{1,12}[bkmgBKMG]?$/;
const MAX_TTL_SECONDS = 31_536_000;

export class SessionIdDto {
  @Text({
    min: 1,
    max: 256,
    description: 'Name of the session, of your choosing and among your own: any text. In a URL, percent-encode it, slashes too.',
    example: 'my-session',
  })
  session_id: string;
}

const TTL = {
  optional: true,
  min: 1,
  max: MAX_TTL_SECONDS,
  description: 'Seconds after which it is removed when it is not used',
  example: 3600,
} as const;
export class UpdateSessionDto {
  @Whole(TTL)
  ttl_seconds?: number;

  @Metadata({ optional: true, more: '. Takes the place of what is there' })
  metadata?: Record<string, string>;
}

/**
 * The options of a session. An absent one is as the operator has set it, and is not compared with
 * an existing session.
 */
export class CreateSessionDto extends SessionIdDto {
  @Text({
    optional: true,
    min: 1,
    max: 256,
    description: 'Image it is made from, of those that the operator allows',
    example: 'python:3.12-slim',
  })
  image?: string;

  @Pattern({
    optional: true,
    pattern: SIZE,
    message: 'must be a size such as 2g',
    description: 'Puts /workspace on the host’s disk instead of memory, with this limit',
    example: '2g',
  })
  disk?: string;

  @Pattern({
    optional: true,
    pattern: SIZE,
    message: 'must be a size such as 512m',
    description: 'Memory, with its files in /tmp, and in /workspace without `disk`',
    example: '512m',
  })
  memory?: string;

  @Decimal({ optional: true, min: 0.01, decimals: 3, description: 'CPUs it may use', example: 0.5 })
  cpus?: number;

  @Whole({ optional: true, min: 16, max: 1_000_000, description: 'Processes and threads it may have', example: 128 })
  pids?: number;

  @Whole(TTL)
  ttl_seconds?: number;

  @Flag({ optional: true, description: 'Whether its files outlive its sandbox, until it is deleted', example: false })
  persistent?: boolean;

  @Environment({
    optional: true,
    description: `Environment variables of every command in it, as \`env\` of a command, whose own win; at most ${MAX_ENV_BYTES} bytes in all`,
    example: { GREETING: 'hello' },
  })
  env?: Record<string, string>;

  @Metadata({ optional: true })
  metadata?: Record<string, string>;

  @SessionNetwork({
    optional: true,
    description: 'Which names its programs may reach, as PUT …/network takes it. Absent: as the operator has set it, by default none',
    example: { allow: ['packages'] },
  })
  network?: { allow: string[] };
}

export class ListSessionsQuery {
  @MetadataFilter({
    optional: true,
    description: 'name=value: only sessions whose metadata has this pair; may be given several times',
    example: ['team=blue'],
  })
  metadata?: string | string[];
}

export class SessionCreatedDto implements CreatedSession {
  @ApiProperty({ example: 'my-session' })
  session_id: string;

  @ApiProperty({ description: 'First 12 hex digits of the id of the session’s container', example: '4f1d0c2b9a7e' })
  container_id: string;

  @ApiProperty({ description: 'It was not there: this call made it', example: true })
  session_created: boolean;

  @ApiProperty({
    description:
      'Its container had died, or was started anew. One answer says so; files of before are gone, unless the session is persistent.',
    example: false,
  })
  session_restarted: boolean;
}

export class SessionNetworkDto {
  @ApiProperty({ type: [String], example: ['packages'] })
  allow: string[];
}

export class SessionDto implements SessionInfo {
  @ApiProperty({ example: 'my-session' })
  session_id: string;

  @ApiProperty({ description: 'First 12 hex digits of the id of the session’s container', example: '4f1d0c2b9a7e' })
  container_id: string;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:05:00.000Z' })
  last_used_at: string;

  @ApiProperty({ format: 'date-time', description: 'When it is removed unless used before', example: '2025-01-01T12:15:00.000Z' })
  expires_at: string;

  @ApiProperty({ example: 'python:3.12-slim' })
  image: string;

  @ApiProperty({ example: '256m' })
  memory: string;

  @ApiProperty({ type: Number, example: 0.5 })
  cpus: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Null: the runtime does not bound them', example: 128 })
  pids: number | null;

  @ApiProperty({ description: 'Whether its files outlive its sandbox', example: false })
  persistent: boolean;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The limit of a /workspace on the host’s disk; null if it is in memory',
    example: '2g',
  })
  disk: string | null;

  @ApiProperty({ type: 'integer', description: 'Seconds after which it is removed when it is not used', example: 600 })
  ttl_seconds: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, example: { team: 'blue' } })
  metadata: Record<string, string>;

  @ApiProperty({ type: SessionNetworkDto, description: 'Which names its programs may reach' })
  network: SessionNetworkDto;
}

export class SessionListDto {
  @ApiProperty({ type: [SessionDto], description: 'Your live sessions, the oldest first' })
  sessions: SessionDto[];
}

export class DeletedSessionDto {
  @ApiProperty({ enum: ['deleted'], example: 'deleted' })
  status: 'deleted';

  @ApiProperty({ example: 'my-session' })
  session_id: string;
}
