import type { Config } from '@sandbox/config';
import { ApiServer } from '../api-server';
import { Pods } from '../pods';
import { PooledPods } from '../pooled-pods';
import { SessionLocks } from '../session-locks';
import { SessionPods } from '../session-pods';
import { WorkspaceClaims } from '../workspace-claims';
import type { FakeCluster } from './fake-cluster';

export type ApiProcess = ReturnType<typeof apiProcess>;

/** Makes what one API process has of a cluster. */
export function apiProcess(cluster: FakeCluster, config: Config) {
  const server = new ApiServer(cluster.access);
  const pods = new Pods(server, config);
  const locks = new SessionLocks(server, config);
  const claims = new WorkspaceClaims(server, config);
  return { pods, locks, claims, sessions: new SessionPods(pods, locks, claims), pooled: new PooledPods(pods, locks) };
}
