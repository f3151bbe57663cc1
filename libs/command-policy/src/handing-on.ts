import type { CommandArgument } from 'unbash';
import { literalValue } from './words';

/**
 * Counts the arguments of builtin `name` that precede the program which it runs. `command`, `exec`,
 * `builtin` and `jobs -x` run the word after their options.
 * @returns undefined if the builtin runs none of its arguments
 */
export function handsOnTo(name: string, args: readonly CommandArgument[]): number | undefined {
  if (name === 'jobs') return args[0] && literalValue(args[0]) === '-x' ? 1 : undefined;
  if (name !== 'command' && name !== 'exec' && name !== 'builtin') return undefined;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index];
    const value = arg && literalValue(arg);
    if (value === '--') return index + 1;
    if (!value?.startsWith('-') || value === '-') return index;
    if (name === 'command' && /[vV]/.test(value)) return undefined;
    if (name === 'exec' && /a$/.test(value)) index++;
  }
  return undefined;
}
