import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { ApiServer } from './api-server';

/** A kind of objects, and what the runtime does with them: a rule of a Role, as RBAC has it. */
interface Rule {
  readonly group: string;
  /** With its subresource, as `pods/exec`. */
  readonly resource: string;
  readonly verbs: readonly string[];
}

/**
 * What the service's account has to be allowed in the namespace of the sandboxes. An exec is a GET
 * by WebSocket; newer API servers want `create` for it too.
 */
export const NEEDED: readonly Rule[] = [
  { group: '', resource: 'pods', verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'] },
  { group: '', resource: 'pods/exec', verbs: ['create', 'get'] },
  { group: '', resource: 'persistentvolumeclaims', verbs: ['create', 'delete', 'get'] },
  { group: 'coordination.k8s.io', resource: 'leases', verbs: ['create', 'delete', 'get', 'list', 'patch'] },
];

const PATH = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
/** How long what is missing counts as missing. An operator grants it meanwhile. */
const RECHECK_MS = 5_000;

/**
 * Knows whether the API server lets the service do its work. It asks until nothing is missing, and
 * then no more.
 */
export class Permissions {
  private checked: { readonly at: number; readonly missing: Promise<readonly string[]> } | null = null;

  constructor(private readonly server: ApiServer) {}

  /**
   * @throws SandboxError RUNTIME_UNAVAILABLE that names what an operator has to allow; what a call
   * throws if the API server does not answer
   */
  async require(signal: AbortSignal): Promise<void> {
    const missing = await this.missing(signal);
    if (missing.length === 0) return;
    throw new SandboxError(
      ErrorCode.RUNTIME_UNAVAILABLE,
      `The cluster does not allow the service: ${missing.join(', ')}. The operator has to allow it by a Role.`,
      { retryAfter: 10 },
    );
  }

  /** Callers that ask meanwhile share the questions under way. */
  private async missing(signal: AbortSignal): Promise<readonly string[]> {
    const { checked } = this;
    if (checked !== null && (performance.now() - checked.at <= RECHECK_MS || (await checked.missing).length === 0)) return checked.missing;
    const missing = this.review(signal);
    this.checked = { at: performance.now(), missing };
    missing.catch(() => (this.checked = null));
    return missing;
  }

  /** @returns what is not allowed, as `create pods/exec` */
  private async review(signal: AbortSignal): Promise<string[]> {
    const missing: string[] = [];
    // A few questions at a time.
    for (const { group, resource, verbs } of NEEDED) {
      const allowed = await Promise.all(verbs.map((verb) => this.isAllowed({ group, resource, verb }, signal)));
      missing.push(...verbs.filter((_, at) => !allowed[at]).map((verb) => `${verb} ${resource}`));
    }
    return missing;
  }

  private async isAllowed(
    { group, resource: path, verb }: { group: string; resource: string; verb: string },
    signal: AbortSignal,
  ): Promise<boolean> {
    const [resource, subresource] = path.split('/');
    const { namespace } = this.server.access;
    const resourceAttributes = { namespace, group, resource, verb, ...(subresource !== undefined && { subresource }) };
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
    const { status } = await this.server.call<{ status?: { allowed?: boolean } }>({ method: 'POST', path: PATH, body, signal });
    return status?.allowed === true;
  }
}
