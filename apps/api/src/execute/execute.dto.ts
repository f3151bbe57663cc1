import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import type { ExecuteCommand, ExecuteExit, ExecuteResult, ExecuteStart } from '@sandbox/orchestrator';
import { IsIn, IsNumber, Min } from 'class-validator';
import { SessionIdDto } from '../sessions/sessions.dto';
import { IsEnvironment, IsText, IsTextOfBytes, MAX_ENV_BYTES, MAX_ENV_ENTRIES, Optional } from '../validation/rules';

const MAX_COMMAND_CHARACTERS = 32_000;
const MAX_WORKING_DIR_CHARACTERS = 512;
const MAX_STDIN_BYTES = 1024 * 1024;

export class ExecuteDto extends SessionIdDto implements ExecuteCommand {
  @ApiProperty({
    description:
      'Shell command line. Each command is a fresh shell in working_dir: `cd` and `export` do not carry over to the next, files do. Without NUL.',
    minLength: 1,
    maxLength: MAX_COMMAND_CHARACTERS,
    example: 'echo "hello from $(pwd)"',
  })
  @IsText({ min: 1, max: MAX_COMMAND_CHARACTERS, nul: false })
  command: string;

  @ApiPropertyOptional({
    type: Number,
    description: 'Seconds until the command is killed with everything it started; then `timed_out` is true and `exit_code` 124',
    minimum: 1,
    example: 30,
  })
  @Optional()
  @IsNumber({ allowNaN: false, allowInfinity: false }, { message: 'must be a number' })
  @Min(1, { message: 'must be at least 1' })
  timeout?: number;

  @ApiPropertyOptional({
    description: 'Directory the command starts in; relative means below /workspace',
    maxLength: MAX_WORKING_DIR_CHARACTERS,
    default: '/workspace',
    example: '/workspace',
  })
  @Optional()
  @IsText({ max: MAX_WORKING_DIR_CHARACTERS, nul: false })
  working_dir?: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: `Environment variables: shell names (letters, digits, _) to text without NUL; at most ${MAX_ENV_ENTRIES}, of ${MAX_ENV_BYTES} bytes in all`,
    maxProperties: MAX_ENV_ENTRIES,
    example: { GREETING: 'hello' },
  })
  @Optional()
  @IsEnvironment()
  env?: Record<string, string>;

  @ApiPropertyOptional({
    description: `Text for the command's standard input, at most ${MAX_STDIN_BYTES} bytes of UTF-8; without it stdin is empty`,
    maxLength: MAX_STDIN_BYTES,
    example: 'a line of input\n',
  })
  @Optional()
  @IsTextOfBytes(MAX_STDIN_BYTES)
  stdin?: string;

  @ApiPropertyOptional({
    enum: ['utf8', 'base64'],
    default: 'utf8',
    description: 'Of stdout and stderr in the answer: text, in which bytes that are not UTF-8 become U+FFFD, or exact bytes',
    example: 'utf8',
  })
  @Optional()
  @IsIn(['utf8', 'base64'], { message: 'must be utf8 or base64' })
  encoding?: 'utf8' | 'base64';

  @ApiPropertyOptional({ enum: ['sh', 'bash'], description: 'Shell that runs the command; not every image has bash', example: 'sh' })
  @Optional()
  @IsIn(['sh', 'bash'], { message: 'must be sh or bash' })
  shell?: 'sh' | 'bash';
}

export class ExecuteStartDto implements ExecuteStart {
  @ApiProperty({ description: 'First 12 hex digits of the id of the session’s container', example: '4f1d0c2b9a7e' })
  container_id: string;

  @ApiProperty({
    description:
      'The session’s container had ended and was made anew for this call: processes are gone, and files too unless the workspace is persistent',
    example: false,
  })
  session_restarted: boolean;
}

export class ExecuteExitDto implements ExecuteExit {
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
}

export class ExecuteResultDto extends IntersectionType(ExecuteExitDto, ExecuteStartDto) implements ExecuteResult {
  @ApiProperty({ description: 'Standard output, cut in its middle where it is too long', example: 'hello from /workspace\n' })
  stdout: string;

  @ApiProperty({ description: 'Standard error, cut likewise', example: '' })
  stderr: string;
}

export class OutputEventDto {
  @ApiProperty({ description: 'The next piece of the stream, in the `encoding` asked for', example: 'hello\n' })
  data: string;
}
