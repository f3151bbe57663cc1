import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { CreatedSession, SessionInfo } from '@sandbox/orchestrator';
import { IsBoolean, IsNumber, Matches } from 'class-validator';
import { IsEnvironment, IsIntegerFrom, IsText, MAX_ENV_BYTES, MAX_ENV_ENTRIES, Optional } from '../validation/rules';
import { IsMetadata, IsMetadataFilter, MAX_METADATA_CHARACTERS, MAX_METADATA_PAIRS } from './metadata';

/** As Docker's clients write it. */
const SIZE = /^\d{1,12}[bkmgBKMG]?$/;
const MAX_TTL_SECONDS = 31_536_000;

export class SessionIdDto {
  @ApiProperty({
    description: 'Name of the session, of your choosing and among your own: any text. In a URL, percent-encode it, slashes too.',
    minLength: 1,
    maxLength: 256,
    example: 'my-session',
  })
  @IsText({ min: 1, max: 256 })
  session_id: string;
}

const TTL = { type: 'integer', minimum: 1, description: 'Seconds after which it is removed when it is not used', example: 3600 } as const;
const METADATA = {
  type: 'object',
  additionalProperties: { type: 'string', maxLength: MAX_METADATA_CHARACTERS },
  maxProperties: MAX_METADATA_PAIRS,
  description: `Your own notes about it: at most ${MAX_METADATA_PAIRS} names (1 to 64 of letters, digits, _ . -) with a text each`,
  example: { team: 'blue' },
} as const;

export class UpdateSessionDto {
  @ApiPropertyOptional(TTL)
  @Optional()
  @IsIntegerFrom(1, MAX_TTL_SECONDS)
  ttl_seconds?: number;

  @ApiPropertyOptional({ ...METADATA, description: `${METADATA.description}. Takes the place of what is there` })
  @Optional()
  @IsMetadata()
  metadata?: Record<string, string>;
}

/** What is not given is as the operator has set it, and is not compared with a session that is there. */
export class CreateSessionDto extends SessionIdDto {
  @ApiPropertyOptional({
    minLength: 1,
    maxLength: 256,
    description: 'Image it is made from, of those that the operator allows',
    example: 'python:3.12-slim',
  })
  @Optional()
  @IsText({ min: 1, max: 256 })
  image?: string;

  @ApiPropertyOptional({ pattern: SIZE.source, description: 'Memory, its files in /workspace and /tmp included', example: '512m' })
  @Optional()
  @Matches(SIZE, { message: 'must be a size such as 512m' })
  memory?: string;

  @ApiPropertyOptional({ type: Number, minimum: 0.01, description: 'CPUs it may use', example: 0.5 })
  @Optional()
  @IsNumber({ allowNaN: false, allowInfinity: false, maxDecimalPlaces: 3 }, { message: 'must be a number with at most 3 decimals' })
  cpus?: number;

  @ApiPropertyOptional({ type: 'integer', minimum: 16, description: 'Processes and threads it may have', example: 128 })
  @Optional()
  @IsIntegerFrom(16, 1_000_000)
  pids?: number;

  @ApiPropertyOptional(TTL)
  @Optional()
  @IsIntegerFrom(1, MAX_TTL_SECONDS)
  ttl_seconds?: number;

  @ApiPropertyOptional({ description: 'Whether its files outlive its sandbox, until it is deleted', example: false })
  @Optional()
  @IsBoolean()
  persistent?: boolean;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    maxProperties: MAX_ENV_ENTRIES,
    description: `Environment variables of every command in it, as \`env\` of a command, whose own win; at most ${MAX_ENV_BYTES} bytes in all`,
    example: { GREETING: 'hello' },
  })
  @Optional()
  @IsEnvironment()
  env?: Record<string, string>;

  @ApiPropertyOptional(METADATA)
  @Optional()
  @IsMetadata()
  metadata?: Record<string, string>;
}

export class ListSessionsQuery {
  @ApiPropertyOptional({
    type: [String],
    description: 'name=value: only sessions whose metadata has this pair; may be given several times',
    example: ['team=blue'],
  })
  @Optional()
  @IsMetadataFilter()
  metadata?: string | string[];
}

export class SessionCreatedDto implements CreatedSession {
  @ApiProperty({ example: 'my-session' })
  session_id: string;

  @ApiProperty({ description: 'First 12 hex digits of the id of the session’s container', example: '4f1d0c2b9a7e' })
  container_id: string;

  @ApiProperty({ description: 'It was not there: this call made it', example: true })
  session_created: boolean;
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

  @ApiProperty({ type: 'integer', example: 128 })
  pids: number;

  @ApiProperty({ description: 'Whether its files outlive its sandbox', example: false })
  persistent: boolean;

  @ApiProperty({ type: 'integer', description: 'Seconds after which it is removed when it is not used', example: 600 })
  ttl_seconds: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, example: { team: 'blue' } })
  metadata: Record<string, string>;
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
