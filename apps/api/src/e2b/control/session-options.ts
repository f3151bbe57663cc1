import type { Config } from '@sandbox/config';
import type { SessionOptions } from '@sandbox/sessions';
import { notSupported } from '../protocol/not-supported';
import { networkRules } from './network-options';
import type { NewSandboxDto } from './sandboxes.dto';
import { imageOf } from './templates';

/** Options of a sandbox that this server does not have, and what they would be. */
const UNSUPPORTED = {
  autoPause: 'Pausing a sandbox at its end (autoPause)',
  autoResume: 'Resuming a paused sandbox (autoResume)',
  mcp: 'An MCP gateway in a sandbox (mcp)',
  iam: 'Tokens of an identity provider (iam)',
  volumeMounts: 'Mounting volumes (volumeMounts)',
} as const satisfies Partial<Record<keyof NewSandboxDto, string>>;

/**
 * Translates what E2B says of a new sandbox into the options of a session.
 * @throws SandboxError NOT_SUPPORTED, NOT_FOUND (template), VALIDATION_FAILED
 */
export function sessionOptions(body: NewSandboxDto, config: Config): SessionOptions {
  for (const [option, what] of Object.entries(UNSUPPORTED)) {
    if (asksFor(body[option as keyof NewSandboxDto])) throw notSupported(what);
  }
  const image = imageOf(body.templateID, config);
  const network = networkRules(body.network ?? {}, body.allow_internet_access);
  return {
    ...(image !== undefined && { image }),
    ...(body.timeout !== undefined && { ttl_seconds: ttlSeconds(body.timeout) }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
    ...(body.envVars !== undefined && { env: body.envVars }),
    ...(network !== undefined && { network }),
  };
}

/** A sandbox with the timeout 0 ends as soon as it can. */
export function ttlSeconds(timeout: number): number {
  return Math.max(1, timeout);
}

/** Whether an option is more than `false`, or an object that says so. */
function asksFor(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || (value as { enabled?: unknown }).enabled !== false;
}
