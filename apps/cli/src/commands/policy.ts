import type { PolicyAnswer, Sandbox } from '@sandbox/client';
import { printable, printJson, printLine } from '../printing';

/** Says whether a command may run. @returns 0 if it may, else 1 */
export async function checkPolicy({ policy }: Sandbox, command: string, json: boolean): Promise<number> {
  const answer = await policy.check(command);
  if (json) await printJson(answer);
  else for (const line of linesOf(answer)) await printLine(printable(line));
  return answer.allowed ? 0 : 1;
}

function linesOf({ allowed, word, position, reason, similar = [] }: PolicyAnswer): string[] {
  if (allowed) return ['allowed'];
  const place = position ? ` (line ${position.line}, column ${position.column})` : '';
  return [
    `not allowed: ${word ? `“${word}”` : 'the end of the command'}${place}`,
    ...(reason ? [reason] : []),
    ...(similar.length > 0 ? [`similar, and allowed: ${similar.join(', ')}`] : []),
  ];
}
