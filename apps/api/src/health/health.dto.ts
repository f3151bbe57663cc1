import { ApiProperty } from '@nestjs/swagger';
import type { ReadinessChecks } from '@sandbox/orchestrator';

export class HealthDto {
  @ApiProperty({ enum: ['ok'], example: 'ok' })
  status: 'ok';
}

export class ReadinessChecksDto implements ReadinessChecks {
  @ApiProperty({ example: 'ok' })
  docker: string;

  @ApiProperty({ example: 'ok' })
  store: string;

  @ApiProperty({ example: 'ok' })
  image: string;
}

export class ReadyDto {
  @ApiProperty({ enum: ['ready'], example: 'ready' })
  status: 'ready';

  @ApiProperty({ type: ReadinessChecksDto })
  checks: ReadinessChecksDto;
}
