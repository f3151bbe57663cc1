import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { type Config, loadConfig } from '@sandbox/config';
import type { Sandbox, SandboxRuntime } from '@sandbox/orchestrator';
import Docker from 'dockerode';
import { TEST_CHANNEL_DIRECTORY, TEST_IMAGE, TEST_RUNTIME } from '../engine-under-test';

/**
 * Returns a configuration with a deployment of its own. So suites meet neither each other nor
 * anything else on the engine.
 */
export function testConfig(variables: Record<string, string> = {}): Config {
  const own = {
    DEPLOYMENT: `test-${randomBytes(6).toString('hex')}`,
    DOCKER_HOST: process.env.DOCKER_HOST ?? '',
    CHANNEL_DIRECTORY: TEST_CHANNEL_DIRECTORY,
    CONTAINER_IMAGE: TEST_IMAGE,
    CONTAINER_RUNTIME: TEST_RUNTIME,
    SESSION_STORE: 'memory',
    POOL_SIZE: '0',
  };
  return loadConfig({ ...own, ...variables }, { needsAuth: false });
}

export function testOwner(): Parameters<SandboxRuntime['ensureSandbox']>[0] {
  return { key: randomBytes(32).toString('hex'), userKey: randomBytes(32).toString('hex') };
}

/**
 * Returns the engine itself, for what the product has no call for. dockerode finds it by
 * DOCKER_HOST.
 */
export function testEngine(): Docker {
  return new Docker();
}

const ofDeployment = ({ DEPLOYMENT }: Config) => ({ label: [`sandbox-api.deployment=${DEPLOYMENT}`] });

/** @returns all containers of a deployment, of every kind, running or not */
export function containersOf(engine: Docker, config: Config): Promise<Docker.ContainerInfo[]> {
  return engine.listContainers({ all: true, filters: ofDeployment(config) });
}

/** Removes a container, which may be gone already, or on its way out by the code under test. */
export async function removeContainer(engine: Docker, { Id }: Docker.ContainerInfo): Promise<void> {
  try {
    await engine.getContainer(Id).remove({ force: true, v: true });
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    if (statusCode !== 404 && statusCode !== 409) throw error;
  }
}

/** Removes all containers and volumes of a deployment, of every kind. */
export async function removeDeployment(engine: Docker, config: Config): Promise<void> {
  await Promise.all((await containersOf(engine, config)).map((each) => removeContainer(engine, each)));
  const { Volumes } = await engine.listVolumes({ filters: ofDeployment(config) });
  await Promise.all(Volumes.map(({ Name }) => engine.getVolume(Name).remove()));
}

/** @returns the sandbox of a session, or null */
export async function find(runtime: SandboxRuntime, key: string): Promise<Sandbox | null> {
  return (await runtime.listSandboxes()).find((each) => each.key === key) ?? null;
}

/** @returns the sandbox that waits in this slot of the pool, counted from 0 */
export async function pooledIn(runtime: SandboxRuntime, slot: number): Promise<Sandbox> {
  const sandboxes: Sandbox[] = [];
  for await (const sandbox of runtime.fillPool(slot + 1)) sandboxes.push(sandbox);
  return sandboxes[slot]!;
}

export interface Finished {
  stdout: string;
  stderr: string;
  exitCode: number | null;
}

/** Runs a program in a sandbox to its end. */
export async function run(runtime: SandboxRuntime, sandboxId: string, argv: string[], input = ''): Promise<Finished> {
  const { stream, ended } = await runtime.startProcess(sandboxId, argv);
  stream.end(input);
  const stdout = await buffer(stream);
  const { exitCode, stderr } = await ended;
  return { stdout: stdout.toString('utf8'), stderr, exitCode };
}

export const sh = (runtime: SandboxRuntime, sandboxId: string, script: string): Promise<Finished> =>
  run(runtime, sandboxId, ['sh', '-c', script]);
