import { SHELLS, type WantedShell } from '@sandbox/command-policy';
import { Decimal, Environment, OneOf, Text, TextOfBytes } from '../validation/fields';
import { MAX_ENV_BYTES, MAX_ENV_ENTRIES } from '../validation/rules';

export const MAX_COMMAND_CHARACTERS = 32_000;
const MAX_WORKING_DIR_CHARACTERS = 512;
export const MAX_STDIN_BYTES = 1024 * 1024;

/** The fields of a command, whether it runs in the call or as a job. */
export class ShellCommandDto {
  @Text({
    min: 1,
    max: MAX_COMMAND_CHARACTERS,
    nul: false,
    tooLong: 'write a longer script to a file (workspace_write, PUT …/workspace/content) and run that, or give it as stdin to `sh`',
    description:
      'Shell command line. Each command is a fresh shell in working_dir: `cd` and `export` do not carry over to the next, files do. Without NUL.',
    example: 'echo "hello from $(pwd)"',
  })
  command: string;

  @Decimal({
    optional: true,
    min: 1,
    description: 'Seconds until the command is killed with everything it started; then `timed_out` is true and `exit_code` 124',
    example: 30,
  })
  timeout?: number;

  @Text({
    optional: true,
    max: MAX_WORKING_DIR_CHARACTERS,
    nul: false,
    description: 'Directory the command starts in: absolute, or relative to /workspace',
    default: '/workspace',
    example: '/workspace',
  })
  working_dir?: string;

  @Environment({
    optional: true,
    description: `Environment variables: shell names (letters, digits, _) to text without NUL; at most ${MAX_ENV_ENTRIES}, of ${MAX_ENV_BYTES} bytes in all`,
    example: { GREETING: 'hello' },
  })
  env?: Record<string, string>;

  @TextOfBytes({
    optional: true,
    maxBytes: MAX_STDIN_BYTES,
    description: `Text for the command's standard input, at most ${MAX_STDIN_BYTES} bytes of UTF-8; without it stdin is empty`,
    example: 'a line of input\n',
  })
  stdin?: string;

  @OneOf({
    optional: true,
    values: SHELLS,
    description: 'auto: bash if the command uses what only bash has and the image has bash, else sh. bash: 400 if the image lacks it',
    example: 'auto',
  })
  shell?: WantedShell;
}
