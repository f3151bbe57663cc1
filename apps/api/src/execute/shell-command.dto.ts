import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { SHELLS, type WantedShell } from '@sandbox/command-policy';
import { IsIn, IsNumber, Min } from 'class-validator';
import { IsEnvironment, IsText, IsTextOfBytes, MAX_ENV_BYTES, MAX_ENV_ENTRIES, Optional } from '../validation/rules';

export const MAX_COMMAND_CHARACTERS = 32_000;
const MAX_WORKING_DIR_CHARACTERS = 512;
const MAX_STDIN_BYTES = 1024 * 1024;

/** The fields of a command, whether it runs in the call or as a job. */
export class ShellCommandDto {
  @ApiProperty({
    description:
      'Shell command line. Each command is a fresh shell in working_dir: `cd` and `export` do not carry over to the next, files do. Without NUL.',
    minLength: 1,
    maxLength: MAX_COMMAND_CHARACTERS,
    example: 'echo "hello from $(pwd)"',
  })
  @IsText({
    min: 1,
    max: MAX_COMMAND_CHARACTERS,
    nul: false,
    tooLong: 'write a longer script to a file (workspace_write, PUT …/workspace/content) and run that, or give it as stdin to `sh`',
  })
  command: string;

  @ApiPropertyOptional({
    type: Number,
    description: 'Seconds until the command is killed with everything it started; then `timed_out` is true and `exit_code` 124',
    minimum: 1,
    example: 30,
  })
  @Optional()
  @Min(1, { message: 'must be at least 1' })
  @IsNumber({ allowNaN: false, allowInfinity: false }, { message: 'must be a number' })
  timeout?: number;

  @ApiPropertyOptional({
    description: 'Directory the command starts in: absolute, or relative to /workspace',
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
    enum: SHELLS,
    description: 'auto: bash if the command uses what only bash has and the image has bash, else sh. bash: 400 if the image lacks it',
    example: 'auto',
  })
  @Optional()
  @IsIn(SHELLS, { message: 'must be auto, sh or bash' })
  shell?: WantedShell;
}
