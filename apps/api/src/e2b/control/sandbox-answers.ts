import { type Config, parseSize } from '@sandbox/config';
import type { SessionInfo } from '@sandbox/orchestrator';
import { templateOf } from './templates';

/**
 * The version of E2B's own agent whose protocol the sandbox calls speak. The SDKs decide by it what
 * they send: from 0.5.2 on they close stdin, from 0.5.7 on they upload streams, and from 0.6.3 on a
 * watch may ask for entries. From 0.6.2 on they send metadata of files, which this server refuses.
 */
export const PROTOCOL_VERSION = '0.6.4';

const CLIENT = 'sandbox-api';
const MIB = 1024 ** 2;

/** What creating a sandbox, or connecting to one, answers. */
export interface SandboxAccess {
  readonly sandboxID: string;
  readonly templateID: string;
  readonly clientID: string;
  readonly envdVersion: string;
  /** The token for calls to the sandbox. */
  readonly envdAccessToken: string;
  /** The domain below which ports of the sandbox have host names. */
  readonly domain: string;
}

/** A sandbox in a list. */
export interface ListedSandbox {
  readonly sandboxID: string;
  readonly templateID: string;
  readonly clientID: string;
  readonly startedAt: string;
  readonly endAt: string;
  readonly cpuCount: number;
  readonly memoryMB: number;
  readonly diskSizeMB: number;
  readonly metadata: Record<string, string>;
  readonly state: 'running';
  readonly envdVersion: string;
}

/** A sandbox that is looked at alone. */
export interface SandboxDetail extends ListedSandbox {
  readonly envdAccessToken: string;
  readonly domain: string;
  readonly network: { readonly allowOut: string[]; readonly denyOut: string[] };
  readonly lifecycle: { readonly onTimeout: 'kill'; readonly autoResume: false };
}

export function sandboxAccess(sandboxID: string, templateID: string, envdAccessToken: string, domain: string): SandboxAccess {
  return { sandboxID, templateID, clientID: CLIENT, envdVersion: PROTOCOL_VERSION, envdAccessToken, domain };
}

export function listedSandbox(session: SessionInfo, config: Config): ListedSandbox {
  const { session_id, image, created_at, expires_at, memory, disk, metadata } = session;
  return {
    sandboxID: session_id,
    templateID: templateOf(image, config),
    clientID: CLIENT,
    startedAt: created_at,
    endAt: expires_at,
    cpuCount: cpuCountOf(session),
    memoryMB: Math.floor(parseSize(memory) / MIB),
    diskSizeMB: Math.floor((disk === null ? config.CONTAINER_TMPFS_WORKSPACE_SIZE : parseSize(disk)) / MIB),
    metadata,
    state: 'running',
    envdVersion: PROTOCOL_VERSION,
  };
}

/** E2B counts whole CPUs. */
export function cpuCountOf({ cpus }: Pick<SessionInfo, 'cpus'>): number {
  return Math.max(1, Math.ceil(cpus));
}

export function sandboxDetail(session: SessionInfo, config: Config, envdAccessToken: string, domain: string): SandboxDetail {
  return {
    ...listedSandbox(session, config),
    envdAccessToken,
    domain,
    network: { allowOut: session.network.allow, denyOut: ['0.0.0.0/0'] },
    lifecycle: { onTimeout: 'kill', autoResume: false },
  };
}
