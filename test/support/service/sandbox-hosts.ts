import Docker from 'dockerode';
import { kubectl, killPod, podsOf, type TestCluster, type TestPod, vanishPod } from '../cluster-under-test';

/** A sandbox as its host lists it. */
export interface HostedSandbox extends Pick<Docker.ContainerInfo, 'Id' | 'State'> {
  readonly name: string;
  /** Of the pool, in which it waits; null: it is a session's. */
  readonly slot: string | null;
}

/** What has the sandboxes of a deployment: the tests look there, and do harm there. */
export interface SandboxHost {
  sandboxes(deployment: string): Promise<HostedSandbox[]>;
  volumes(deployment: string): Promise<string[]>;
  /** Kills what runs in a sandbox. Its remains stay. @param id may be cut short */
  kill(id: string): Promise<void>;
  /** @param id may be cut short */
  remove(id: string): Promise<void>;
  removeVolume(name: string): Promise<void>;
}

export function dockerHost(engine: Docker): SandboxHost {
  const of = (deployment: string) => ({ label: [`sandbox-api.deployment=${deployment}`] });
  return {
    sandboxes: async (deployment) =>
      (await engine.listContainers({ all: true, filters: of(deployment) })).map(({ Id, State, Names }) => ({
        Id,
        State,
        name: Names[0]!.slice(1),
        slot: /-pool-.*-(\d+)-[0-9a-f]{12}$/.exec(Names[0]!)?.[1] ?? null,
      })),
    volumes: async (deployment) => ((await engine.listVolumes({ filters: of(deployment) })).Volumes ?? []).map(({ Name }) => Name),
    kill: async (id) => engine.getContainer(id).kill() as Promise<void>,
    remove: async (id) => engine.getContainer(id).remove({ force: true }) as Promise<void>,
    removeVolume: async (name) => engine.getVolume(name).remove() as Promise<void>,
  };
}

export function clusterHost(cluster: TestCluster): SandboxHost {
  const pods = (deployment?: string): Promise<TestPod[]> =>
    podsOf(cluster, `sandbox-api.kind=session${deployment === undefined ? '' : `,sandbox-api.deployment=${deployment}`}`);
  const idOf = ({ metadata }: TestPod): string => metadata.uid.replaceAll('-', '');
  const find = async (id: string): Promise<TestPod> => {
    const pod = (await pods()).find((each) => idOf(each).startsWith(id));
    if (pod === undefined) throw new Error(`no pod has the id ${id}`);
    return pod;
  };
  return {
    sandboxes: async (deployment) =>
      (await pods(deployment)).map((pod) => ({
        Id: idOf(pod),
        State: pod.status.phase.toLowerCase(),
        name: pod.metadata.name,
        slot: pod.metadata.labels?.['sandbox-api.slot'] ?? null,
      })),
    volumes: async (deployment) => {
      const names = await kubectl(cluster, 'get', 'pvc', '--selector', `sandbox-api.deployment=${deployment}`, '--output', 'name');
      return names
        .split('\n')
        .filter((name) => name !== '')
        .map((name) => name.replace(/^.*\//, ''));
    },
    kill: async (id) => killPod(cluster, await find(id)),
    // What runs in a pod lives on for a moment when the API server has forgotten the pod.
    remove: async (id) => {
      const pod = await find(id);
      if (pod.status.phase === 'Running') await killPod(cluster, pod);
      await vanishPod(cluster, pod);
    },
    removeVolume: async (name) => void (await kubectl(cluster, 'delete', 'pvc', name)),
  };
}
