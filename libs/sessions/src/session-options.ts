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
  /** Environment variables for every command in the session. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The settings of a session that may change while it lives. */
export interface SessionSettings {
  /** How long the session lives without being used, in seconds. */
  readonly ttl_seconds?: number;
  /** The caller's own notes about the session. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Everything that a caller may ask for when it creates a session. */
export interface SessionOptions extends SandboxOptions, SessionSettings {}

/**
 * Writes options as text, for the store or for a label.
 * @returns JSON; empty if all options have their defaults
 */
export function formatOptions({ image, memory, cpus, pids, persistent, env }: SandboxOptions): string {
  const text = JSON.stringify({ image, memory, cpus, pids, persistent, env });
  return text === '{}' ? '' : text;
}

/** Reads options back from text. Leaves out what is damaged. */
export function parseOptions(text: string): SandboxOptions {
  const { image, memory, cpus, pids, persistent, env } = parseObject(text);
  return {
    ...(typeof image === 'string' ? { image } : {}),
    ...(typeof memory === 'string' ? { memory } : {}),
    ...(typeof cpus === 'number' ? { cpus } : {}),
    ...(typeof pids === 'number' ? { pids } : {}),
    ...(typeof persistent === 'boolean' ? { persistent } : {}),
    ...(isTexts(env) ? { env } : {}),
  };
}

/** Writes settings as JSON, for a label. */
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

/**
 * Reads pairs of names and texts.
 * @returns an empty object if the text is damaged
 */
export function parseMetadata(text: string): Record<string, string> {
  const value = parseObject(text);
  return isTexts(value) ? value : {};
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
}
