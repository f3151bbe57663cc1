import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VARIABLES } from '@sandbox/config';
import { load, loadAll } from 'js-yaml';

const DIRECTORY = join(__dirname, '../deploy/kubernetes');

/** What these tests read of a manifest. */
interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  data?: Record<string, string>;
  spec?: { template?: { spec: PodSpec } };
}

interface PodSpec {
  securityContext: object;
  automountServiceAccountToken?: boolean;
  serviceAccountName?: string;
  volumes: object[];
  containers: { name: string; securityContext: object; resources: { limits: { memory?: string } } }[];
}

const files = readdirSync(DIRECTORY).filter((file) => file.endsWith('.yaml') && file !== 'kustomization.yaml');
const manifests = files.flatMap((file) => loadAll(readFileSync(join(DIRECTORY, file), 'utf8')) as Manifest[]);
const workloads = manifests.filter(({ spec }) => spec?.template !== undefined);

describe('deploy/kubernetes', () => {
  it('applies every file of the directory', () => {
    const { resources } = load(readFileSync(join(DIRECTORY, 'kustomization.yaml'), 'utf8')) as { resources: string[] };
    expect(resources.toSorted()).toEqual(files.toSorted());
  });

  it('sets settings that there are, and no secret', () => {
    const { data } = manifests.find(({ kind }) => kind === 'ConfigMap')!;
    expect(Object.keys(data!).filter((name) => !(name in VARIABLES))).toEqual([]);
    expect(data).not.toHaveProperty('API_KEYS');
    expect(manifests.map(({ kind }) => kind)).not.toContain('Secret');
  });

  it('names a namespace in everything that has one', () => {
    const without = manifests.filter(({ kind, metadata }) => kind !== 'Namespace' && metadata.namespace === undefined);
    expect(without).toEqual([]);
  });

  // https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
  it.each(workloads.map((workload) => [workload.metadata.name, workload] as const))('is `restricted`: %s', (_, { spec }) => {
    const pod = spec!.template!.spec;
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    for (const { securityContext, resources } of pod.containers) {
      expect(securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      expect(resources.limits.memory).toBeDefined();
    }
    expect(pod).not.toHaveProperty('hostNetwork');
    expect(pod.automountServiceAccountToken === false || pod.serviceAccountName === 'sandbox-api').toBe(true);
    expect(JSON.stringify(pod.volumes)).not.toContain('hostPath');
  });
});
