import type { Config } from '@sandbox/config';
import type Docker from 'dockerode';
import { engineGet } from './engine-get';

/** An image says by it that its programs find the name localhost without the engine's /etc/hosts (Dockerfile.agent has it). */
const RESOLVES_LOCALHOST = 'sandbox-api.resolves-localhost';

/** OCI runtimes that are known to bring up the loopback interface of a namespace that they make; empty: the engine's default. */
const RUNTIMES = ['', 'runc', 'runsc'];

/**
 * The spec, without the engine's part in the network where the sandbox can do without. NetworkMode none alone has the engine make a
 * namespace with an endpoint and an /etc/hosts by its network library, which takes longer than all the rest of a start, and which in
 * engines up to 20.10 can hang for good where many containers end at once (moby/moby#46661). With NetworkDisabled the OCI runtime
 * makes a namespace that is just as empty, and there is no /etc/hosts. An image that is not there is an error as in making the container.
 */
export async function withoutNetworkSetup<Spec extends Docker.ContainerCreateOptions>(
  docker: Docker,
  config: Config,
  spec: Spec,
  signal: AbortSignal,
): Promise<Spec> {
  if (!RUNTIMES.includes(config.CONTAINER_RUNTIME)) return spec;
  const image = await engineGet<Docker.ImageInspectInfo>(docker, `/images/${spec.Image}/json`, signal);
  return image.Config.Labels?.[RESOLVES_LOCALHOST] === 'true' ? { ...spec, NetworkDisabled: true } : spec;
}
