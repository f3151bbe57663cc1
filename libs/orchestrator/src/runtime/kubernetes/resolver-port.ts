import { Logger } from '@nestjs/common';
import { statusOf } from './kubernetes-errors';
import type { Pod } from './objects';

/**
 * The kernel's setting by which a process without power may bind the port of DNS. The agent's
 * resolver does.
 */
export const SYSCTL = 'net.ipv4.ip_unprivileged_port_start';

/** A kubelet's word for a pod with a sysctl that it does not allow. */
const REFUSED_BY_KUBELET = 'SysctlForbidden';
/** How an API server answers if its admission does not allow one. */
const REFUSED_BY_ADMISSION = [400, 403, 422];
/** After so long, a new pod asks again. An operator may have allowed the sysctl meanwhile. */
const RETRY_MS = 300_000;

/**
 * Knows whether the cluster allows the sysctl that a session's network needs. No call tells, so the
 * first pod that is refused for it does. From then on pods are made without it: they work, but for
 * the network.
 */
export class ResolverPort {
  private readonly logger = new Logger(ResolverPort.name);
  private refusedAt: number | null = null;

  /** Why sandboxes have no network, in words for users; null: no pod was refused for it. */
  get refusal(): string | null {
    return this.refusedAt === null ? null : `the cluster does not allow sandboxes the sysctl ${SYSCTL}`;
  }

  /** Whether a pod that is made now asks for the sysctl. */
  get isAsked(): boolean {
    return this.refusedAt === null || performance.now() - this.refusedAt > RETRY_MS;
  }

  /** Takes note of a pod that runs. */
  noteReady({ spec }: Pod): void {
    if (this.refusedAt === null || (spec.securityContext?.sysctls ?? []).length === 0) return;
    this.refusedAt = null;
    this.logger.log(`sessions can have a network: the cluster allows pods the sysctl ${SYSCTL} now`);
  }

  /** Takes note of a pod that has ended. */
  noteEnded({ status }: Pod): void {
    if (status?.reason === REFUSED_BY_KUBELET) this.noteRefused(status.message ?? '');
  }

  /**
   * Takes note of an error that answers a request for a pod.
   * @returns whether the sysctl is its cause
   */
  noteError(error: unknown): boolean {
    const isCause = REFUSED_BY_ADMISSION.includes(statusOf(error) ?? 0) && (error as Error).message.includes(SYSCTL);
    if (isCause) this.noteRefused((error as Error).message);
    return isCause;
  }

  private noteRefused(cause: string): void {
    if (this.refusedAt === null)
      this.logger.error({ msg: `no session can have a network: the cluster does not allow pods the sysctl ${SYSCTL}`, cause });
    this.refusedAt = performance.now();
  }
}
