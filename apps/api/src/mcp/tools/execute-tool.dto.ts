import { ApiPropertyOptional, PartialType } from '@nestjs/swagger';
import { IsBoolean } from 'class-validator';
import { ExecuteDto, ExecuteResultDto } from '../../execute/execute.dto';
import { Optional } from '../../validation/rules';

export class ExecuteToolArgs extends ExecuteDto {
  @ApiPropertyOptional({ description: 'Start it as a job and answer at once, with its job_id', default: false, example: false })
  @Optional()
  @IsBoolean({ message: 'must be true or false' })
  background?: boolean;

  @ApiPropertyOptional({ description: 'With background: leave stdin open, for job_input', default: false, example: false })
  @Optional()
  @IsBoolean({ message: 'must be true or false' })
  open_stdin?: boolean;
}

/** How the command ended; for a command in the background, the job that it is. */
export class ExecuteToolResultDto extends PartialType(ExecuteResultDto) {
  @ApiPropertyOptional({ description: 'Of a command in the background', example: '9f86d081884c7d659a2feaa0c55ad015' })
  job_id?: string;
}
