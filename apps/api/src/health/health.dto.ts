import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { DiskBound, PoolState, ReadinessChecks, Transport } from '@sandbox/orchestrator';

export class HealthDto {
  @ApiProperty({ enum: ['ok'], example: 'ok' })
  status: 'ok';
}

export class ReadinessChecksDto implements ReadinessChecks {
  @ApiPropertyOptional({ description: 'With SANDBOX_RUNTIME=docker', example: 'ok' })
  docker?: string;

  @ApiPropertyOptional({ description: 'With SANDBOX_RUNTIME=kubernetes', example: 'ok' })
  kubernetes?: string;

  @ApiProperty({ example: 'ok' })
  store: string;

  @ApiProperty({ example: 'ok' })
  image: string;
}

export class PoolStateDto implements PoolState {
  @ApiProperty({ type: 'integer', description: 'Sandboxes that wait for a new session', example: 4 })
  size: number;

  @ApiProperty({ type: 'integer', description: 'New sessions that took one, since this process started', example: 120 })
  hits: number;

  @ApiProperty({ type: 'integer', description: 'New sessions that could have, and found none', example: 3 })
  misses: number;
}

export class ReadyDto {
  @ApiProperty({ enum: ['ready'], example: 'ready' })
  status: 'ready';

  @ApiProperty({ type: ReadinessChecksDto })
  checks: ReadinessChecksDto;

  @ApiProperty({ type: PoolStateDto })
  pool: PoolStateDto;

  @ApiProperty({
    enum: ['direct', 'exec'],
    description: 'The way to a sandbox: by a socket in CHANNEL_DIRECTORY, or through the engine',
    example: 'direct',
  })
  channel: Transport;

  @ApiProperty({
    enum: ['quota', 'measured', 'unguarded'],
    nullable: true,
    description:
      'How a workspace on the disk is kept within its limit: by a quota of the host’s kernel, by its sandbox, which measures, or by that where a command can stop it (gVisor)',
    example: 'measured',
  })
  disk: DiskBound | null;

  @ApiProperty({
    type: [String],
    description: 'Settings that do nothing here, because the runtime has no such limit',
    example: [],
  })
  ignored_settings: string[];
}
