import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  JOB_STATES,
  JOB_SIGNALS,
  type Job,
  type JobCommand,
  type JobOutput,
  type JobState,
  type JobStream,
  MAX_JOB_READ_BYTES,
  MAX_JOB_WAIT_SECONDS,
  type OutputQuery,
  signalNumber,
  type StartedJob,
} from '@sandbox/orchestrator';
import { IsBoolean, IsIn } from 'class-validator';
import { ShellCommandDto } from '../execute/shell-command.dto';
import { SessionIdDto } from '../sessions/sessions.dto';
import { IsIntegerFrom, IsText, Optional, rule } from '../validation/rules';

export class JobIdDto extends SessionIdDto {
  @ApiProperty({ description: 'As POST …/jobs gave it', minLength: 1, maxLength: 64, example: '9f86d081884c7d659a2feaa0c55ad015' })
  @IsText({ min: 1, max: 64 })
  job_id: string;
}

export class StartJobDto extends ShellCommandDto implements JobCommand {
  @ApiPropertyOptional({ description: 'Leaves stdin open, for POST …/stdin to add to', default: false, example: false })
  @Optional()
  @IsBoolean({ message: 'must be true or false' })
  open_stdin?: boolean;
}

export class JobDto implements Job {
  @ApiProperty({ example: '9f86d081884c7d659a2feaa0c55ad015' })
  job_id: string;

  @ApiProperty({ example: 'npm run build' })
  command: string;

  @ApiProperty({ enum: JOB_STATES, description: '`lost`: its sandbox ended, and it was not run again', example: 'exited' })
  state: JobState;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'As the shell gives it, 124 where its time was over; null while it runs, and of a lost job',
    example: 0,
  })
  exit_code: number | null;

  @ApiProperty({ type: String, nullable: true, description: 'The signal that ended it, of a killed job', example: null })
  signal: string | null;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:00:00.000Z' })
  started_at: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: '2025-01-01T12:00:05.000Z' })
  ended_at: string | null;

  @ApiProperty({ description: 'The kernel killed a process of the sandbox for memory while it ran', example: false })
  oom_killed: boolean;

  @ApiPropertyOptional({ type: 'integer', description: 'With oom_killed: the sandbox’s memory, bytes', example: 268435456 })
  memory_limit?: number;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'Bytes written to stdout so far; null of a lost job, and of one that does not answer',
    example: 1234,
  })
  stdout_bytes: number | null;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'Bytes written to stderr so far; null of a lost job, and of one that does not answer',
    example: 0,
  })
  stderr_bytes: number | null;
}

export class StartedJobDto extends JobDto implements StartedJob {
  @ApiProperty({ description: 'This call made the session: what an earlier one of its name had is gone', example: false })
  session_created: boolean;

  @ApiProperty({ description: 'The session’s container had ended and was made anew, which no answer has said before', example: false })
  session_restarted: boolean;
}

export class JobListDto {
  @ApiProperty({ type: [JobDto], description: 'The oldest first' })
  jobs: JobDto[];
}

export class JobOutputQueryDto implements OutputQuery {
  @ApiPropertyOptional({ enum: ['stdout', 'stderr'], description: 'Default: stdout; as events: both', example: 'stdout' })
  @Optional()
  @IsIn(['stdout', 'stderr'], { message: 'must be stdout or stderr' })
  stream?: JobStream;

  @ApiPropertyOptional({ type: 'integer', minimum: 0, default: 0, description: 'Bytes from the beginning of the stream', example: 0 })
  @Optional()
  @IsIntegerFrom(0, Number.MAX_SAFE_INTEGER)
  offset?: number;

  @ApiPropertyOptional({ type: 'integer', minimum: 16, maximum: MAX_JOB_READ_BYTES, default: 65536, description: 'Bytes', example: 65536 })
  @Optional()
  @IsIntegerFrom(16, MAX_JOB_READ_BYTES)
  limit?: number;

  @ApiPropertyOptional({ enum: ['utf8', 'base64'], default: 'utf8', example: 'utf8' })
  @Optional()
  @IsIn(['utf8', 'base64'], { message: 'must be utf8 or base64' })
  encoding?: 'utf8' | 'base64';

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: MAX_JOB_WAIT_SECONDS,
    default: 0,
    description: 'Seconds to wait for output past the offset, or the job’s end',
    example: 0,
  })
  @Optional()
  @IsIntegerFrom(0, MAX_JOB_WAIT_SECONDS)
  wait_seconds?: number;
}

export class JobOutputDto implements JobOutput {
  @ApiProperty({ example: 'compiled\n' })
  data: string;

  @ApiProperty({ type: 'integer', description: 'Where to go on', example: 9 })
  next_offset: number;

  @ApiProperty({ description: 'Nothing will follow', example: false })
  eof: boolean;

  @ApiProperty({ type: 'integer', description: 'Bytes before `data` that were asked for and are dropped already', example: 0 })
  gap: number;
}

export class JobInputQuery {
  @ApiPropertyOptional({ enum: ['true', 'false'], default: 'false', description: 'Ends the input after this', example: 'true' })
  @Optional()
  @IsIn(['true', 'false'], { message: 'must be true or false' })
  eof?: 'true' | 'false';
}

const NO_SIGNAL = `must be one of ${JOB_SIGNALS.join(', ')}, with or without SIG, or its number`;

function IsJobSignal(): PropertyDecorator {
  return rule('isJobSignal', (value) => (signalNumber(value) === null ? NO_SIGNAL : undefined));
}

export class SignalDto {
  @ApiProperty({
    oneOf: [{ type: 'string' }, { type: 'integer' }],
    description: `As kill(1) takes it: ${JOB_SIGNALS.join(', ')}, in any case, with or without SIG; or its number`,
    example: 'SIGINT',
  })
  @IsJobSignal()
  signal: string | number;
}

export class GapEventDto {
  @ApiProperty({ enum: ['stdout', 'stderr'], example: 'stdout' })
  stream: JobStream;

  @ApiProperty({ type: 'integer', description: 'Bytes that were dropped before they were read', example: 4096 })
  bytes: number;
}
