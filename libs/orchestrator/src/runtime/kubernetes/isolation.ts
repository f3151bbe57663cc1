import { buffer } from 'node:stream/consumers';
import { Logger } from '@nestjs/common';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { probeName } from './names';
import { probePod } from './pod-spec';
import type { Pods } from './pods';

/**
 * What a pod can reach: `none`, it has no network; `blocked`, something drops its packets; `open`.
 */
export type Isolation = 'none' | 'blocked' | 'open';

const PROBE_MS = 5_000;

/**
 * Looks from inside a pod. The cluster's own API server answers every pod that may reach it, so it
 * is tried first, by the variables that kubelets give to containers. So is the address at which
 * clouds tell a machine its credentials. A refused connection has reached something too, unless a
 * policy refuses it, so it does not count.
 */
const SCRIPT = `
import os, socket, threading
routes = [line.split()[0] for line in open('/proc/net/route').readlines()[1:]]
try:
    routes += [line.split()[-1] for line in open('/proc/net/ipv6_route')]
except OSError:
    pass
reached = []
def attempt(host, port):
    try:
        socket.create_connection((host, port), ${PROBE_MS / 1000 - 1}).close()
        reached.append(host)
    except OSError:
        pass
if all(name == 'lo' for name in routes):
    print('none')
else:
    targets = [('169.254.169.254', 80)]
    if 'KUBERNETES_SERVICE_HOST' in os.environ:
        targets.append((os.environ['KUBERNETES_SERVICE_HOST'], int(os.environ.get('KUBERNETES_SERVICE_PORT', 443))))
    threads = [threading.Thread(target=attempt, args=target) for target in targets]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print('open' if reached else 'blocked')
`;

/**
 * Knows whether the cluster keeps sandboxes from the network. A NetworkPolicy does nothing if the
 * cluster's network plug-in does not enforce it, and no call tells. So a pod is asked, once for
 * each process.
 */
export class IsolationCheck {
  private readonly logger = new Logger(IsolationCheck.name);
  private checking: Promise<Isolation> | null = null;
  private found: Isolation | null = null;

  /** @param isRequired whether no sandbox may be made if a pod reaches a network */
  constructor(
    private readonly pods: Pods,
    private readonly isRequired: boolean,
  ) {}

  /** What has been found; null if no pod has been asked yet. */
  get isolation(): Isolation | null {
    return this.found;
  }

  /**
   * Resolves if sandboxes may be made.
   * @throws SandboxError RUNTIME_UNAVAILABLE if a pod reaches a network and the operator requires
   * that it does not; what the runtime throws if no pod could be asked
   */
  async require(signal: AbortSignal): Promise<void> {
    if (!this.isRequired) return;
    if (this.found === null) await this.check(signal);
    this.throwIfOpen();
  }

  throwIfOpen(): void {
    if (this.found !== 'open' || !this.isRequired) return;
    throw new SandboxError(
      ErrorCode.RUNTIME_UNAVAILABLE,
      'Pods of this cluster reach a network. The operator has to enforce a NetworkPolicy that denies all, and restart the API.',
      { retryAfter: 60 },
    );
  }

  /** Callers that ask meanwhile share the check under way. */
  private check(signal: AbortSignal): Promise<Isolation> {
    this.checking ??= this.probe(signal)
      .then((found) => {
        this.found = found;
        if (found === 'open') this.logger.error('pods reach a network: a NetworkPolicy that denies all is missing, or not enforced');
        else this.logger.log(found === 'none' ? 'pods have no network' : 'pods reach no network: their packets are dropped');
        return found;
      })
      .finally(() => (this.checking = null));
    return this.checking;
  }

  private async probe(signal: AbortSignal): Promise<Isolation> {
    const { config } = this.pods;
    const pod = await this.pods.create(probePod(config, probeName(config)), signal);
    if (pod === null) throw new Error('a name was given twice');
    try {
      const ready = await this.pods.untilReady(pod, signal);
      if (ready === null) throw new Error('the pod of the check has gone');
      const { stream, ended } = await this.pods.startAlone(ready, ['python3', '-I', '-S', '-c', SCRIPT], signal);
      signal.addEventListener('abort', () => stream.destroy(), { once: true });
      const said = (await buffer(stream)).toString().trim();
      if (said === 'none' || said === 'blocked' || said === 'open') return said;
      throw new SandboxError(ErrorCode.RUNTIME_UNAVAILABLE, 'The isolation of sandboxes could not be checked.', {
        cause: new Error((await ended).stderr),
        retryAfter: 10,
      });
    } finally {
      await this.pods.remove(pod, signal).catch(() => undefined);
    }
  }
}
