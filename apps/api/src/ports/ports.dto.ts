import { ApiProperty } from '@nestjs/swagger';
import type { ListeningPort } from '@sandbox/orchestrator';
import { SessionIdDto } from '../sessions/sessions.dto';
import { Whole } from '../validation/fields';
import { withIntegers } from '../validation/query-values';
import { validateDto } from '../validation/validate-dto';

const DEFAULT_LIFETIME_SECONDS = 3_600;

export class PortDto extends SessionIdDto {
  @Whole({ min: 1, max: 65_535, description: 'A port on which a program in the sandbox listens', example: 8000 })
  port: number;
}

/**
 * Reads the parts of an address that also has others.
 * @throws SandboxError VALIDATION_FAILED
 */
export function portAddress(session_id: string, port: string): PortDto {
  return validateDto(PortDto, withIntegers(PortDto, { session_id, port }));
}

export class ExposePortDto {
  @Whole({
    optional: true,
    min: 60,
    max: 86_400,
    default: DEFAULT_LIFETIME_SECONDS,
    description: 'Seconds until the URL is worth nothing',
    example: 3600,
  })
  expires_in?: number;
}

/** Returns the time that a URL lives if the caller names none, in seconds. */
export function lifetimeOf({ expires_in = DEFAULT_LIFETIME_SECONDS }: ExposePortDto): number {
  return expires_in;
}

export class ExposedPortDto {
  @ApiProperty({
    description: 'An origin of its own for the program. Whoever has it reaches the program, without another credential',
    example: 'http://8000-0f8e3a5d1c7b49e2a6d4b8c0f1e29375.localhost:8000/',
  })
  url: string;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T13:00:00.000Z' })
  expires_at: string;
}

export class ListeningPortDto implements ListeningPort {
  @ApiProperty({ type: 'integer', example: 8000 })
  port: number;

  @ApiProperty({ description: 'Where it listens', example: '127.0.0.1' })
  address: string;

  @ApiProperty({ type: String, nullable: true, description: 'Its command line, cut; null if not known', example: 'python3 -m http.server' })
  program: string | null;
}

export class PortListDto {
  @ApiProperty({ type: [ListeningPortDto], description: 'In the order of their numbers; 256 at most' })
  ports: ListeningPortDto[];
}
