import type { Config } from '@sandbox/config';
import type Docker from 'dockerode';
import { engineGet } from './engine-get';

/**
 * The label of an image whose programs resolve `localhost` without the engine's /etc/hosts.
 * Dockerfile.agent sets it.
 */
const RESOLVES_LOCALHOST = 'sandbox-api.resolves-localhost';

/**
 * OCI runtimes that are known to bring up the loopback interface of a new namespace. The empty name
 * is the engine's default runtime.
 */
const RUNTIMES = ['', 'runc', 'runsc'];

/**
 * Returns the spec without the engine's network set-up, if the image can do without it.
 *
 * With NetworkMode `none` alone, the engine's network library makes a namespace, an endpoint and an
 * /etc/hosts. That takes longer than the rest of a start. In engines up to 20.10 it can also hang
 * for good when many containers end at once (moby/moby#46661). With NetworkDisabled, the OCI
 * runtime makes a namespace that is just as empty, without an /etc/hosts.
 * @throws the engine's 404, as creating the container would, if the image is missing
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
