import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from './usage-error';

/** What the caller gave as flags. */
export interface Flags {
  url?: string;
  key?: string;
  session?: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Settings {
  url: string;
  apiKey?: string;
  token?: string;
  /** The session that a command uses if it names none. */
  session: string;
  /** Where URL and credential come from, for people. */
  source: string;
}

interface Place {
  url: string;
  apiKey?: string;
  token?: string;
}

const DEFAULT_URL = 'http://127.0.0.1:8000';
const DEFAULT_SESSION = 'default';

/**
 * Finds URL and credential: in the flags, the environment, the file that `sandbox login` writes,
 * and in the directory of a local `npm start`. A kept credential goes only to the URL with which
 * it was kept, so that no other server gets to see it.
 */
export function settingsOf(flags: Flags, env: Environment, directory: string): Settings {
  const session = flags.session ?? nonEmpty(env.SANDBOX_SESSION) ?? DEFAULT_SESSION;
  const file = settingsFile(env);
  const kept: readonly (readonly [string, Place | undefined])[] = [
    [file, readSettings(file)],
    ['a local `npm start`', localService(directory)],
  ];
  const url = flags.url ?? nonEmpty(env.SANDBOX_URL);
  const given = credentialOf(flags, env);
  if (given) return { url: trimmed(url ?? kept.find(([, place]) => place)?.[1]?.url ?? DEFAULT_URL), session, ...given };
  for (const [source, place] of kept) if (place && (url === undefined || trimmed(url) === place.url)) return { ...place, session, source };
  return { url: trimmed(url ?? DEFAULT_URL), session, source: 'nowhere' };
}

/** Keeps URL and credential where only this user can read them. @returns the file */
export function keepSettings(place: Place, env: Environment): string {
  const file = settingsFile(env);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify(place, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600); // it may have been there, with other permissions
  return file;
}

function credentialOf({ key }: Flags, env: Environment): Pick<Settings, 'apiKey' | 'token' | 'source'> | undefined {
  if (key !== undefined) return { apiKey: key, source: 'the flag --key' };
  const apiKey = nonEmpty(env.SANDBOX_API_KEY);
  if (apiKey !== undefined) return { apiKey, source: 'SANDBOX_API_KEY' };
  const token = nonEmpty(env.SANDBOX_TOKEN);
  return token === undefined ? undefined : { token, source: 'SANDBOX_TOKEN' };
}

function settingsFile(env: Environment): string {
  return join(nonEmpty(env.XDG_CONFIG_HOME) ?? join(nonEmpty(env.HOME) ?? homedir(), '.config'), 'sandbox', 'settings.json');
}

function readSettings(file: string): Place | undefined {
  if (!existsSync(file)) return undefined;
  let place: unknown;
  try {
    place = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new UsageError(`${file} is no JSON. Delete it, and run \`sandbox login\`.`);
  }
  const { url, apiKey, token } = (place ?? {}) as Partial<Record<string, unknown>>;
  if (typeof url !== 'string') throw new UsageError(`${file} has no "url". Delete it, and run \`sandbox login\`.`);
  return {
    url: trimmed(url),
    ...(typeof apiKey === 'string' && { apiKey }),
    ...(typeof token === 'string' && { token }),
  };
}

/** Looks for the directory in which `npm start` keeps its key, from here upwards. */
function localService(directory: string): Place | undefined {
  for (let at = directory; ; at = dirname(at)) {
    const key = join(at, '.sandbox', 'api-key');
    if (existsSync(key)) {
      const url = join(at, '.sandbox', 'api-url');
      return { url: existsSync(url) ? readFileSync(url, 'utf8').trim() : DEFAULT_URL, apiKey: readFileSync(key, 'utf8').trim() };
    }
    if (at === dirname(at)) return undefined;
  }
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '');
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
