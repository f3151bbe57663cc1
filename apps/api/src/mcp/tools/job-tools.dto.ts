import { ApiProperty, ApiPropertyOptional, IntersectionType, PickType } from '@nestjs/swagger';
import { type Job, type JobState, MAX_JOB_INPUT_BYTES } from '@sandbox/orchestrator';
import { JobDto, JobIdDto, JobOutputDto, JobOutputQueryDto } from '../../jobs/jobs.dto';
import type { DeniedDto } from '../../network/network.dto';
import { DENIED } from './network-note';
import { TextOfBytes, Flag } from '../../validation/fields';

/** Without the `limit` of REST, because the server decides how much a model reads. */
export class JobOutputArgs extends IntersectionType(JobIdDto, PickType(JobOutputQueryDto, ['stream', 'offset', 'wait_seconds'])) {}

export class JobInputArgs extends JobIdDto {
  @TextOfBytes({ maxBytes: MAX_JOB_INPUT_BYTES, description: `At most ${MAX_JOB_INPUT_BYTES} bytes of UTF-8`, example: 'yes\n' })
  data: string;

  @Flag({ optional: true, description: 'Ends the input after this', default: false, example: false })
  eof?: boolean;
}

export class JobStopArgs extends JobIdDto {}

export class JobStateDto implements Pick<Job, 'state' | 'exit_code'> {
  /** One of JOB_STATES, which the schema of job_output lists. */
  @ApiProperty({ type: String })
  state: JobState;

  @ApiProperty({ type: 'integer', nullable: true })
  exit_code: number | null;
}

export class JobOutputResultDto extends IntersectionType(
  JobOutputDto,
  PickType(JobDto, ['state', 'exit_code', 'oom_killed', 'memory_limit', 'disk_limit']),
) {
  @ApiPropertyOptional(DENIED)
  network_denied?: DeniedDto[];
}
