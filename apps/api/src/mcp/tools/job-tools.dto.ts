import { ApiProperty, ApiPropertyOptional, IntersectionType, PickType } from '@nestjs/swagger';
import { type JobStream, MAX_JOB_INPUT_BYTES, MAX_JOB_WAIT_SECONDS } from '@sandbox/orchestrator';
import { IsBoolean, IsIn, IsInt, Max, Min } from 'class-validator';
import { JobDto, JobIdDto, JobOutputDto } from '../../jobs/jobs.dto';
import { IsTextOfBytes, Optional } from '../../validation/rules';

export class JobOutputArgs extends JobIdDto {
  @ApiPropertyOptional({ enum: ['stdout', 'stderr'], default: 'stdout', example: 'stdout' })
  @Optional()
  @IsIn(['stdout', 'stderr'], { message: 'must be stdout or stderr' })
  stream?: JobStream;

  @ApiPropertyOptional({ type: 'integer', minimum: 0, default: 0, description: 'Bytes from the beginning of the stream', example: 0 })
  @Optional()
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be at least 0' })
  @Max(Number.MAX_SAFE_INTEGER, { message: 'is too large' })
  offset?: number;

  @ApiPropertyOptional({ type: 'integer', minimum: 0, maximum: MAX_JOB_WAIT_SECONDS, default: 0, example: 10 })
  @Optional()
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be at least 0' })
  @Max(MAX_JOB_WAIT_SECONDS, { message: `must be at most ${MAX_JOB_WAIT_SECONDS}` })
  wait_seconds?: number;
}

export class JobInputArgs extends JobIdDto {
  @ApiProperty({ description: `At most ${MAX_JOB_INPUT_BYTES} bytes of UTF-8`, maxLength: MAX_JOB_INPUT_BYTES, example: 'yes\n' })
  @IsTextOfBytes(MAX_JOB_INPUT_BYTES)
  data: string;

  @ApiPropertyOptional({ description: 'Ends the input after this', default: false, example: false })
  @Optional()
  @IsBoolean({ message: 'must be true or false' })
  eof?: boolean;
}

export class JobStopArgs extends JobIdDto {}

export class JobStateDto extends PickType(JobDto, ['state', 'exit_code']) {}

export class JobOutputResultDto extends IntersectionType(JobOutputDto, JobStateDto) {}
