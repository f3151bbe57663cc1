import { ApiProperty } from '@nestjs/swagger';
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
import { ShellCommandDto } from '../execute/shell-command.dto';
import { CommandReportDto } from '../execute/command-report.dto';
import { SessionIdDto } from '../sessions/sessions.dto';
import { Field, type FieldOptions, Flag, OneOf, Text, Whole } from '../validation/fields';
import { rule } from '../validation/rules';

export class JobIdDto extends SessionIdDto {
  @Text({ min: 1, max: 64, description: 'As POST …/jobs gave it', example: '9f86d081884c7d659a2feaa0c55ad015' })
  job_id: string;
}

export class JobQuery {
  @Whole({
    optional: true,
    min: 0,
    max: MAX_JOB_WAIT_SECONDS,
    default: 0,
    description: 'Seconds to wait for the job’s end',
    example: 30,
  })
  wait_seconds?: number;
}

export class StartJobDto extends ShellCommandDto implements JobCommand {
  @Flag({ optional: true, description: 'Leaves stdin open, for POST …/stdin to add to', default: false, example: false })
  open_stdin?: boolean;
}

export class JobDto extends CommandReportDto implements Omit<Job, 'network_denied'> {
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

export class StartedJobDto extends JobDto implements Omit<StartedJob, 'network_denied'> {
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
  @OneOf({ optional: true, values: ['stdout', 'stderr'], description: 'Default: stdout; as events: both', example: 'stdout' })
  stream?: JobStream;

  @Whole({ optional: true, min: 0, default: 0, description: 'Bytes from the beginning of the stream', example: 0 })
  offset?: number;

  @Whole({ optional: true, min: 16, max: MAX_JOB_READ_BYTES, default: 65536, description: 'Bytes', example: 65536 })
  limit?: number;

  @OneOf({ optional: true, values: ['utf8', 'base64'], default: 'utf8', example: 'utf8' })
  encoding?: 'utf8' | 'base64';

  @Whole({
    optional: true,
    min: 0,
    max: MAX_JOB_WAIT_SECONDS,
    default: 0,
    description: 'Seconds to wait for output past the offset, or the job’s end',
    example: 0,
  })
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
  @OneOf({ optional: true, values: ['true', 'false'], default: 'false', description: 'Ends the input after this', example: 'true' })
  eof?: 'true' | 'false';
}

const NO_SIGNAL = `must be one of ${JOB_SIGNALS.join(', ')}, with or without SIG, or its number`;

/** A signal by its name or its number. */
function JobSignal(field: FieldOptions): PropertyDecorator {
  return Field(field, { oneOf: [{ type: 'string' }, { type: 'integer' }] }, isJobSignal());
}

function isJobSignal(): PropertyDecorator {
  return rule('isJobSignal', (value) => (signalNumber(value) === null ? NO_SIGNAL : undefined));
}

export class SignalDto {
  @JobSignal({
    description: `As kill(1) takes it: ${JOB_SIGNALS.join(', ')}, in any case, with or without SIG; or its number`,
    example: 'SIGINT',
  })
  signal: string | number;
}

export class GapEventDto {
  @ApiProperty({ enum: ['stdout', 'stderr'], example: 'stdout' })
  stream: JobStream;

  @ApiProperty({ type: 'integer', description: 'Bytes that were dropped before they were read', example: 4096 })
  bytes: number;
}
