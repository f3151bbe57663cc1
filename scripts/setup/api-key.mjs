import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newApiKey } from '../new-api-key.mjs';
import { STATE_DIR } from './steps.mjs';

const FILE = join(STATE_DIR, 'api-key');

/**
 * Returns the API key of this clone. It is made on first use and kept where only its owner can read
 * it.
 */
export function keptApiKey() {
  if (!existsSync(FILE)) writeFileSync(FILE, `${newApiKey()}\n`, { mode: 0o600 });
  return readFileSync(FILE, 'utf8').trim();
}
