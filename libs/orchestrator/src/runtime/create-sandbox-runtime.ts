import { type Config, ConfigError } from '@sandbox/config';
import { unmetSettings } from '../options/runtime-capabilities';
import { createDockerRuntime } from './docker/docker-runtime';
import { createKubernetesRuntime } from './kubernetes/kubernetes-runtime';
import type { SandboxRuntime } from './sandbox-runtime';

/** The function that makes a runtime, by the value of SANDBOX_RUNTIME. */
const RUNTIMES: Readonly<Record<Config['SANDBOX_RUNTIME'], (config: Config) => SandboxRuntime>> = {
  docker: createDockerRuntime,
  kubernetes: createKubernetesRuntime,
};

/**
 * Makes the runtime that SANDBOX_RUNTIME names.
 * @throws ConfigError if the settings ask for what that runtime cannot do
 * @throws Error if the runtime cannot be addressed, as with a bad DOCKER_HOST or kubeconfig
 */
export function createSandboxRuntime(config: Config): SandboxRuntime {
  const runtime = RUNTIMES[config.SANDBOX_RUNTIME](config);
  const unmet = unmetSettings(config, runtime.capabilities);
  if (unmet.length > 0) throw new ConfigError(unmet);
  return runtime;
}
