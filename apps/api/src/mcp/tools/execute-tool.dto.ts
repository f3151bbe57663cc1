import { ApiPropertyOptional, PartialType } from '@nestjs/swagger';
import { ExecuteDto, ExecuteResultDto } from '../../execute/execute.dto';
import { DENIED } from './network-note';
import type { DeniedDto } from '../../network/network.dto';
import { Flag } from '../../validation/fields';

export class ExecuteToolArgs extends ExecuteDto {
  @Flag({ optional: true, description: 'Start it as a job and answer at once, with its job_id', default: false, example: false })
  background?: boolean;

  @Flag({ optional: true, description: 'With background: leave stdin open, for job_input', default: false, example: false })
  open_stdin?: boolean;
}

/** How the command ended; for a command in the background, the job that it is. */
export class ExecuteToolResultDto extends PartialType(ExecuteResultDto) {
  @ApiPropertyOptional({ description: 'Of a command in the background', example: '9f86d081884c7d659a2feaa0c55ad015' })
  job_id?: string;

  @ApiPropertyOptional(DENIED)
  declare network_denied?: DeniedDto[];
}
