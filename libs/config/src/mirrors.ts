import { type EgressRules, joinRules, normalizeName, parseRules } from '@sandbox/egress';
import { items } from './comma-list';

/** The ecosystems whose registry a mirror can stand for. */
export const MIRRORED = ['pypi', 'npm', 'go', 'cargo', 'maven'] as const;
export type Mirrored = (typeof MIRRORED)[number];

/** The mirrors from which package managers in sandboxes take packages. */
export interface Mirrors {
  /** http or https URLs. Their characters are safe in a shell, in TOML and in XML. */
  readonly urls: Readonly<Partial<Record<Mirrored, string>>>;
  /** What a sandbox has to reach for them. */
  readonly rules: EgressRules;
}

const MAX_URL_CHARACTERS = 300;
const FORM = `must be entries such as npm=https://npm.example.com/, separated by commas, for ${MIRRORED.join(', ')}`;

/**
 * Reads `NAME=URL, …`.
 * @throws Error that says which entry is wrong. It repeats no URL, which may hold a password.
 */
export function parseMirrors(value: string): Mirrors {
  const urls: Partial<Record<Mirrored, string>> = {};
  let rules: EgressRules = [];
  for (const [at, entry] of items(value).entries()) {
    const [, name, text] = /^([a-z]+)\s*=\s*(.*)$/s.exec(entry) ?? [];
    const mirrored = MIRRORED.find((known) => known === name);
    const fault = (what: string): Error => new Error(`has an entry that is wrong, number ${at + 1}: ${what}`);
    if (mirrored === undefined) throw fault(FORM.replace('must be entries', 'entries must be'));
    if (urls[mirrored] !== undefined) throw fault(`${mirrored} is there twice`);
    const { url, rule } = parseUrl(text!, fault);
    urls[mirrored] = url;
    rules = joinRules(rules, parseRules([rule]));
  }
  return { urls, rules };
}

function parseUrl(text: string, fault: (what: string) => Error): { url: string; rule: string } {
  if (text.length > MAX_URL_CHARACTERS) throw fault(`the URL has more than ${MAX_URL_CHARACTERS} characters`);
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) throw fault('the URL must begin with https:// or http://');
  const url = new URL(text);
  // Any program in a sandbox can read the URL.
  if (url.username !== '' || url.password !== '') throw fault('the URL must have no user and no password, because sandboxes can read it');
  if (/[?#]/.test(text)) throw fault('the URL must have no query and no fragment');
  if (!/^https?:\/\/[^/]*[\w.~/%+@:-]*$/i.test(text))
    throw fault('the path of the URL may have letters, digits and - . _ ~ / % + @ : alone');
  const name = normalizeName(url.hostname);
  if (name === null || /(^|\.)localhost$/.test(name)) {
    throw fault('the URL must have a host name, which is no address and not localhost: sandboxes reach servers by name');
  }
  return { url: url.href, rule: `${name}:${url.port || (url.protocol === 'https:' ? 443 : 80)}` };
}
