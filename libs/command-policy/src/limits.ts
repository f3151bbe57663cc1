import { Refusal } from './refusal';

/**
 * The parser reads the rest of a script again for each here-document on a line and for each level
 * of expansions.
 */
const MAX_HERE_DOCUMENTS = 256;
const MAX_OPEN_EXPANSIONS = 64;

const OPENS_OR_CLOSES = /[$<>][({[]|[)}\]]/g;

/**
 * Bounds the cost of parsing before it begins. Counts in the text alone, quoted or not, because no
 * honest script comes near the limits.
 * @throws Refusal if the script passes a limit
 */
export function checkLimits(script: string): void {
  const nul = script.indexOf('\0');
  if (nul >= 0) throw new Refusal('\0', nul, 'a command cannot hold a NUL character');
  if (script.split('<<', MAX_HERE_DOCUMENTS + 2).length > MAX_HERE_DOCUMENTS + 1) {
    throw new Refusal('<<', script.indexOf('<<'), 'there are too many here-documents');
  }
  let open = 0;
  for (const { 0: token, index } of script.matchAll(OPENS_OR_CLOSES)) {
    open = token.length === 1 ? Math.max(0, open - 1) : open + 1;
    if (open > MAX_OPEN_EXPANSIONS) throw new Refusal(token, index, 'expansions are nested too deep');
  }
}
