import { isObject } from '@sandbox/text';
/**
 * The options of a session's sandbox. They hold for the session's whole life. An absent option has
 * the deployment's default. The names are those of REST and MCP.
 */
export interface SandboxOptions {
  readonly image?: string;
  /** A size as Docker's clients write it, such as `512m`. */
  readonly memory?: string;
  readonly cpus?: number;
  readonly pids?: number;
  readonly persistent?: boolean;
  /** The limit of a workspace on the host's disk, as a size. Absent: the workspace is in memory. */
  readonly disk?: string;
  /** Environment variables for every command in the session. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The settings of a session that may change while it lives. */
export interface SessionSettings {
  /** How long the session lives without being used, in seconds. */
  readonly ttl_seconds?: number;
  /** The caller's own notes about the session. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Which names its programs may reach. Absent: the deployment's EGRESS_DEFAULT. */
  readonly network?: SessionNetworkRules;
}

/** Which names the programs of a session may reach. */
export interface SessionNetworkRules {
  /** Rules as callers write them, such as `pypi.org` or `*.example.com:8443`. */
  readonly allow: readonly string[];
}

/** Everything that a caller may ask for when it creates a session. */
export interface SessionOptions extends SandboxOptions, SessionSettings {}

/**
 * Writes options as text, for the store or for a label.
 * @returns JSON; empty if all options have their defaults
 */
export function formatOptions({ image, memory, cpus, pids, persistent, disk, env }: SandboxOptions): string {
  const text = JSON.stringify({ image, memory, cpus, pids, persistent, disk, env });
  return text === '{}' ? '' : text;
}

/** Reads options back from text. Leaves out what is damaged. */
export function parseOptions(text: string): SandboxOptions {
  const { image, memory, cpus, pids, persistent, disk, env } = parseObject(text);
  return {
    ...(typeof image === 'string' ? { image } : {}),
    ...(typeof memory === 'string' ? { memory } : {}),
    ...(typeof cpus === 'number' ? { cpus } : {}),
    ...(typeof pids === 'number' ? { pids } : {}),
    ...(typeof persistent === 'boolean' ? { persistent } : {}),
    ...(typeof disk === 'string' ? { disk } : {}),
    ...(isTexts(env) ? { env } : {}),
  };
}

/** Writes the settings that a label holds, as JSON. Those of the network change, so it has none. */
export function formatSettings({ ttl_seconds, metadata }: SessionSettings): string {
  return JSON.stringify({ ttl_seconds, metadata });
}

/** Reads settings back from text. Leaves out what is damaged. */
export function parseSettings(text: string): SessionSettings {
  const { ttl_seconds, metadata } = parseObject(text);
  return {
    ...(typeof ttl_seconds === 'number' && Number.isSafeInteger(ttl_seconds) && ttl_seconds > 0 ? { ttl_seconds } : {}),
    ...(isTexts(metadata) ? { metadata } : {}),
  };
}

/** Writes the rules of a session's network, for the store. */
export function formatNetwork({ allow }: SessionNetworkRules): string {
  return JSON.stringify(allow);
}

/**
 * Reads the rules of a session's network back from text. Text that is damaged allows nothing.
 * @returns null if the text is empty: the session was given none
 */
export function parseNetwork(text: string): SessionNetworkRules | null {
  if (text === '') return null;
  const allow = parseJson(text);
  return { allow: Array.isArray(allow) && allow.every((rule) => typeof rule === 'string') ? allow : [] };
}

/**
 * Reads pairs of names and texts.
 * @returns an empty object if the text is damaged
 */
export function parseMetadata(text: string): Record<string, string> {
  const value = parseObject(text);
  return isTexts(value) ? value : {};
}

function parseObject(text: string): Record<string, unknown> {
  const value = parseJson(text);
  return isObject(value) ? value : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
}
