import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { printJson, printLine } from '../printing';
import { UsageError } from '../usage-error';

export interface TokenOptions {
  sub?: string;
  minutes?: number;
  key?: boolean;
  json?: boolean;
}

/** From dist/apps/cli/src/commands. */
const SCRIPT = resolve(__dirname, '../../../../../scripts/token.mjs');

/** Prints a token or an API key, as `npm run token` makes them. The script tells what is wrong. */
export async function makeToken({ sub, minutes, key = false, json = false }: TokenOptions): Promise<number> {
  if (key === (sub !== undefined)) throw new UsageError('Give --sub NAME for a token, or --key for a new API key.');
  if (!existsSync(SCRIPT)) throw new UsageError('This needs a clone of the service, whose scripts make tokens.');
  const args = key ? ['--key'] : [`--sub=${sub}`, ...(minutes === undefined ? [] : [`--minutes=${minutes}`])];
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) return status ?? 1;
  if (json) await printJson({ [key ? 'apiKey' : 'token']: stdout.trim() });
  else await printLine(stdout.trim());
  return 0;
}
