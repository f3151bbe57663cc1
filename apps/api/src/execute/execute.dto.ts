import { ApiProperty, IntersectionType } from '@nestjs/swagger';
import type { ExecuteCommand, ExecuteExit, ExecuteResult, ExecuteStart } from '@sandbox/orchestrator';
import { CommandReportDto } from './command-report.dto';
import { SessionIdDto } from '../sessions/sessions.dto';
import { OneOf } from '../validation/fields';
import { ShellCommandDto } from './shell-command.dto';

export class ExecuteDto extends IntersectionType(SessionIdDto, ShellCommandDto) implements ExecuteCommand {
  @OneOf({
    optional: true,
    values: ['utf8', 'base64'],
    default: 'utf8',
    description: 'Of stdout and stderr in the answer: text, in which bytes that are not UTF-8 become U+FFFD, or exact bytes',
    example: 'utf8',
  })
  encoding?: 'utf8' | 'base64';
}

export class ExecuteStartDto implements ExecuteStart {
  @ApiProperty({ description: 'First 12 hex digits of the id of the session’s container', example: '4f1d0c2b9a7e' })
  container_id: string;

  @ApiProperty({
    description: 'This call made the session: files and processes of an earlier one are gone (files not, if it is persistent)',
    example: false,
  })
  session_created: boolean;

  @ApiProperty({
    description:
      'The session’s container had ended and was made anew, which no answer has said before: processes are gone, and files too unless the workspace is persistent',
    example: false,
  })
  session_restarted: boolean;
}

/** Reasons are texts to a client, which may meet a newer one. */
type Told<Answer> = Omit<Answer, 'network_denied'>;

export class ExecuteExitDto extends CommandReportDto implements Told<ExecuteExit> {
  @ApiProperty({
    type: 'integer',
    description: 'As the shell gives it: 127 not found, 126 not executable, 128+n killed by signal n; 124 on timeout',
    example: 0,
  })
  exit_code: number;

  @ApiProperty({ description: 'Seconds, to 3 decimals', example: 0.004 })
  execution_time: number;

  @ApiProperty({ description: 'The command reached its timeout and was killed', example: false })
  timed_out: boolean;

  @ApiProperty({ description: 'stdout or stderr was too long and its middle left out', example: false })
  truncated: boolean;

  @ApiProperty({ description: 'The kernel killed a process of the sandbox for memory meanwhile', example: false })
  oom_killed: boolean;
}

export class ExecuteResultDto extends IntersectionType(ExecuteExitDto, ExecuteStartDto) implements Told<ExecuteResult> {
  @ApiProperty({ description: 'Standard output, cut in its middle where it is too long', example: 'hello from /workspace\n' })
  stdout: string;

  @ApiProperty({ description: 'Standard error, cut likewise', example: '' })
  stderr: string;
}

export class OutputEventDto {
  @ApiProperty({ description: 'The next piece of the stream, in the `encoding` asked for', example: 'hello\n' })
  data: string;
}
