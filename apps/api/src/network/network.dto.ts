import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { NetworkCheck, NetworkInfo, TellConnection, TellDenial } from '@sandbox/orchestrator';
import { Text, Whole } from '../validation/fields';
import { NetworkRules } from '../sessions/network-rules';

const REASONS =
  '`name_not_allowed`, `port_not_allowed`: no rule has it; `private_address`: the name leads to an address that is not public; ' +
  '`tls_name_mismatch`, `tls_name_missing`, `http_host_mismatch`, `not_http`: the connection asks for another server than the name; ' +
  '`too_many_connections`, `too_many_new_connections`, `too_many_names`, `byte_limit`: a limit is reached';

export class SetNetworkDto {
  @NetworkRules()
  allow: string[];
}

/** Something that was refused. */
export class DeniedDto {
  @ApiProperty({ example: 'pypi.org' })
  host: string;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Null if no port of the name is allowed', example: null })
  port: number | null;

  @ApiProperty({ description: REASONS, example: 'name_not_allowed' })
  reason: string;

  @ApiPropertyOptional({ description: 'The rule that would allow it. Absent if the operator offers none', example: 'pypi.org' })
  rule?: string;
}

export class DenialDto extends DeniedDto implements Omit<TellDenial, 'reason'> {
  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:00:00.000Z' })
  at: string;
}

export class ConnectionDto implements Omit<TellConnection, 'end'> {
  @ApiProperty({ example: 'pypi.org' })
  host: string;

  @ApiProperty({ type: 'integer', example: 443 })
  port: number;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:00:00.000Z' })
  opened_at: string;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'Null while it is open',
    example: '2025-01-01T12:00:01.000Z',
  })
  ended_at: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description:
      '`closed` by both sides, `reset` by one, `failed` to reach the server, `denied` by what it sent first, `revoked` by a change of the rules, ' +
      '`byte_limit`, `idle` for 10 minutes, `lost` with its sandbox; null while it is open',
    example: 'closed',
  })
  end: string | null;

  @ApiPropertyOptional({ description: 'Why it failed', example: 'The server could not be reached (ECONNREFUSED).' })
  detail?: string;

  @ApiProperty({ type: 'integer', description: 'From the server, known once it has ended', example: 1024 })
  bytes_in: number;

  @ApiProperty({ type: 'integer', example: 512 })
  bytes_out: number;
}

export class NetworkDto implements Omit<NetworkInfo, 'connections' | 'denials'> {
  @ApiProperty({ example: 'my-session' })
  session_id: string;

  @ApiProperty({ type: [String], description: 'The rules that hold', example: ['packages'] })
  allow: string[];

  @ApiProperty({ description: 'They are the deployment’s, because the session was given none', example: false })
  is_default: boolean;

  @ApiProperty({ type: 'integer', description: 'Moved so far, in and out together', example: 1536 })
  bytes: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'How many it may move; null: no limit', example: null })
  max_bytes: number | null;

  @ApiProperty({ type: [ConnectionDto], description: 'The last 200, the oldest first' })
  connections: ConnectionDto[];

  @ApiProperty({ type: [DenialDto], description: 'The last 200, the oldest first' })
  denials: DenialDto[];
}

export class CheckNetworkDto {
  @Text({
    optional: true,
    min: 1,
    max: 256,
    description: 'Whose rules count; absent: those of a session that asks for nothing',
    example: 'my-session',
  })
  session_id?: string;

  @Text({ min: 1, max: 300, description: 'A name', example: 'pypi.org' })
  host: string;

  @Whole({ min: 1, max: 65535, example: 443 })
  port: number;
}

export class NetworkCheckDto implements NetworkCheck {
  @ApiProperty({ example: false })
  allowed: boolean;

  @ApiPropertyOptional({
    description: `Why not: ${REASONS}; \`not_a_name\`: an address, or no name at all; \`name_not_found\`: it does not exist; \`name_not_resolved\`: no DNS server has answered`,
    example: 'name_not_allowed',
  })
  reason?: string;

  @ApiPropertyOptional({ description: 'The rule that would allow it. Absent if the operator offers none', example: 'pypi.org' })
  rule?: string;
}
