import { normalizeName } from './names';
import { isPreset, PRESETS, type PresetName } from './presets';

/** The ports of a rule that names none. */
const DEFAULT_PORTS: readonly number[] = [80, 443];
const MAX_RULES = 256;
const MAX_RULE_LENGTH = 300;

/** One name or pattern, with the ports on which it may be reached. */
interface HostRule {
  /** `name` is the host itself, `below` what is below it, and `every` all hosts. */
  readonly match: 'name' | 'below' | 'every';
  /** In the form of normalizeName(). '' if `match` is `every`. */
  readonly host: string;
  readonly ports: readonly number[];
}

/** One rule, as a caller or the operator writes it. */
export interface EgressRule {
  /** In its one form: lower case, ASCII, no final dot. */
  readonly text: string;
  /** What it means. A preset is many. */
  readonly hosts: readonly HostRule[];
}

/** What a session may reach, or what the operator lets all sessions reach. No rule is twice. */
export type EgressRules = readonly EgressRule[];

const PRESET_HOSTS: Readonly<Record<PresetName, readonly HostRule[]>> = { packages: hostsOf('packages'), git: hostsOf('git') };

/**
 * Reads rules: `name`, `*.name` (what is below it, and not itself), `*` (every name), each with an
 * optional `:port` (else 80 and 443), or the name of a preset.
 * @param texts at most 256, each of at most 300 characters
 * @throws Error that names the first text which is no rule, and says what is wrong with it
 */
export function parseRules(texts: readonly string[]): EgressRules {
  if (texts.length > MAX_RULES) throw new Error(`there are ${texts.length} rules, and at most ${MAX_RULES} may be given`);
  return joinRules(texts.map(parseRule));
}

/** @returns the rules of all lists, each once */
export function joinRules(...lists: readonly EgressRules[]): EgressRules {
  return [...new Map(lists.flat().map((rule) => [rule.text, rule])).values()];
}

/** Whether a preset is among the rules. */
export function hasPreset(rules: EgressRules, preset: PresetName): boolean {
  return rules.some(({ text }) => text === preset);
}

/** @returns the ports on which the rules allow a name, in ascending order; none if they do not */
export function portsOf(rules: EgressRules, name: string): number[] {
  const ports = new Set<number>();
  for (const rule of rules) {
    for (const host of rule.hosts) {
      if (matches(host, name)) for (const port of host.ports) ports.add(port);
    }
  }
  return [...ports].sort((a, b) => a - b);
}

/** @param name in the form of normalizeName() */
export function allows(rules: EgressRules, name: string, port: number): boolean {
  return rules.some((rule) => rule.hosts.some((host) => host.ports.includes(port) && matches(host, name)));
}

/**
 * Compares port by port. Of a preset, each name has to be covered on one port at least: what is not
 * offered of it stays closed, because both have to allow a connection.
 * @returns the texts of the rules of `asked` that reach more than `bound` does
 */
export function uncovered(asked: EgressRules, bound: EgressRules): string[] {
  const hosts = bound.flatMap((rule) => rule.hosts);
  const covers = ({ hosts: wanted, text }: EgressRule): boolean =>
    wanted.every((host) => (isPreset(text) ? isCoveredInPart(host, hosts) : isCovered(host, hosts)));
  return asked.filter((rule) => !covers(rule)).map((rule) => rule.text);
}

/** @returns the rule that allows a name on a port */
export function ruleFor(name: string, port: number): string {
  return DEFAULT_PORTS.includes(port) ? name : `${name}:${port}`;
}

function hostsOf(preset: PresetName): readonly HostRule[] {
  const { groups, ports } = PRESETS[preset];
  return groups.flatMap((group) => group.rules.map((text) => parseHostRule(text, ports).host));
}

function parseRule(text: string): EgressRule {
  if (text.length > MAX_RULE_LENGTH) throw fault(text, `it has more than ${MAX_RULE_LENGTH} characters`);
  const written = text.trim();
  const preset = written.toLowerCase();
  if (isPreset(preset)) return { text: preset, hosts: PRESET_HOSTS[preset] };
  const rule = parseHostRule(written, DEFAULT_PORTS);
  if (isPreset(rule.host.host) && rule.host.match === 'name') throw fault(text, 'it is a preset, which takes no port and no final dot');
  return { text: rule.text, hosts: [rule.host] };
}

/** Reads a rule that is no preset. */
function parseHostRule(written: string, defaultPorts: readonly number[]): { text: string; host: HostRule } {
  if (written.includes('/')) throw fault(written, 'it is a URL or a range; write the name alone, such as pypi.org');
  const [, pattern, suffix = '', portText] = /^(.*?)(:([^:]*))?$/s.exec(written)! as unknown as [string, string, string?, string?];
  const { match, host } = parsePattern(written, pattern);
  const ports = portText === undefined ? defaultPorts : [parsePort(written, portText)];
  return { text: `${match === 'every' ? '*' : match === 'below' ? `*.${host}` : host}${suffix}`, host: { match, host, ports } };
}

function parsePattern(written: string, pattern: string): Pick<HostRule, 'match' | 'host'> {
  if (pattern === '*') return { match: 'every', host: '' };
  const isBelow = pattern.startsWith('*.');
  const host = normalizeName(isBelow ? pattern.slice(2) : pattern);
  if (host === null) throw fault(written, whyNoName(pattern));
  return { match: isBelow ? 'below' : 'name', host };
}

function parsePort(written: string, portText: string): number {
  const port = /^[1-9]\d{0,4}$/.test(portText) ? Number(portText) : Number.NaN;
  if (!(port <= 65_535)) throw fault(written, 'its port is no number from 1 to 65535');
  return port;
}

function whyNoName(pattern: string): string {
  if (pattern === '') return 'it names no host';
  if (pattern.includes('*')) return '"*" stands alone or before the first dot, such as *.pypi.org';
  if (pattern.includes(':') || /(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i.test(pattern)) return 'it is an address, and only names can be allowed';
  return 'it is no host name: at most 253 letters, digits, "-", "_" and dots, at most 63 between dots';
}

/** A rule may come from a caller and be long or odd, so the error quotes only its beginning. */
function fault(text: string, why: string): Error {
  return new Error(`the rule ${JSON.stringify(text.slice(0, 80))} is refused: ${why}`);
}

function matches({ match, host }: HostRule, name: string): boolean {
  return match === 'every' || (match === 'name' ? name === host : name.endsWith(`.${host}`));
}

function isCoveredInPart(asked: HostRule, bound: readonly HostRule[]): boolean {
  return asked.ports.some((port) => isCovered({ ...asked, ports: [port] }, bound));
}

function isCovered(asked: HostRule, bound: readonly HostRule[]): boolean {
  return asked.ports.every((port) => bound.some((host) => host.ports.includes(port) && isWithin(asked, host)));
}

function isWithin(asked: HostRule, bound: HostRule): boolean {
  if (bound.match === 'every' || asked.match === 'every') return bound.match === 'every';
  if (bound.match === 'name') return asked.match === 'name' && asked.host === bound.host;
  return asked.host.endsWith(`.${bound.host}`) || (asked.match === 'below' && asked.host === bound.host);
}
