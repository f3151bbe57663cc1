import { loadConfig } from '@sandbox/config';
import { ANNOTATION, LABEL } from './names';
import { CLUSTER_VARIABLES, pooledPod, probePod, sessionPod, specHash } from './pod-spec';

const config = (variables: Record<string, string> = {}) => loadConfig({ DEPLOYMENT: 'blue', ...variables }, { needsAuth: false });
const owner = { key: 'k'.repeat(64), userKey: 'u'.repeat(64) };
const session = (variables: Record<string, string> = {}, options = {}, claim: string | null = null) =>
  sessionPod(config(variables), owner, { name: 'n', options, settings: {}, claim });

describe('the pod of a session', () => {
  const { metadata, spec } = session();
  const [container] = spec.containers;

  it('gives its processes no power', () => {
    expect(spec.securityContext).toEqual({
      runAsUser: 1000,
      runAsGroup: 1000,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const each of [...spec.containers, ...spec.initContainers])
      expect(each.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        privileged: false,
        capabilities: { drop: ['ALL'] },
      });
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Never',
      dnsPolicy: 'None',
    });
    expect(spec).not.toHaveProperty('hostNetwork');
  });

  it('has what the operator says of pods besides, and keeps its own labels and restrictions', () => {
    const template = {
      labels: { team: 'blue', [LABEL.deployment]: 'other' },
      annotations: { note: '1' },
      spec: { nodeSelector: { pool: 'sandboxes' }, tolerations: [{ key: 'only' }], activeDeadlineSeconds: 60 },
      seccompProfile: { type: 'Localhost', localhostProfile: 'sandbox.json' },
    };
    const pod = sessionPod({ ...config(), KUBERNETES_POD_TEMPLATE: template }, owner, { name: 'n', options: {}, settings: {} });
    expect(pod.metadata.labels).toMatchObject({ team: 'blue', [LABEL.deployment]: 'blue' });
    expect(pod.metadata.annotations).toMatchObject({ note: '1' });
    expect(pod.spec).toMatchObject({ ...template.spec, tolerations: expect.anything() });
    expect(pod.spec).toMatchObject({ restartPolicy: 'Never', automountServiceAccountToken: false });
    expect(pod.spec.tolerations).toEqual([{ key: 'only' }, ...spec.tolerations]);
    expect(pod.spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: template.seccompProfile });
  });

  it('bounds its memory and its CPU, in both containers', () => {
    const resources = { limits: { memory: '268435456', cpu: '500m' }, requests: { memory: '268435456', cpu: '10m' } };
    for (const each of [...spec.containers, ...spec.initContainers]) expect(each.resources).toEqual(resources);
    expect(session({}, { memory: '512m', cpus: 0.001 }).spec.containers[0]?.resources).toEqual({
      limits: { memory: String(512 * 1024 ** 2), cpu: '1m' },
      requests: { memory: String(512 * 1024 ** 2), cpu: '1m' },
    });
  });

  it('has its files in memory, each with a limit, and a workspace that is its user’s', () => {
    const sizes = Object.fromEntries(spec.volumes.map((volume) => [volume.name, 'emptyDir' in volume && volume.emptyDir]));
    expect(sizes).toEqual({
      workspace: { medium: 'Memory', sizeLimit: String(128 * 1024 ** 2) },
      tmp: { medium: 'Memory', sizeLimit: String(64 * 1024 ** 2) },
      shm: { medium: 'Memory', sizeLimit: String(16 * 1024 ** 2) },
    });
    expect(container?.volumeMounts[0]).toEqual({ name: 'workspace', mountPath: '/workspace', subPath: 'workspace' });
    expect(spec.initContainers[0]?.command.at(-1)).toBe('mkdir -p -m 0700 /run/volume/workspace');
  });

  it('says whose it is, with the whole key where there is room for it', () => {
    expect(metadata.labels).toEqual({
      'sandbox-api.deployment': 'blue',
      'sandbox-api.kind': 'session',
      'sandbox-api.session': 'k'.repeat(32),
    });
    expect(metadata.annotations).toMatchObject({ [ANNOTATION.session]: owner.key, [ANNOTATION.spec]: specHash(config()) });
  });

  it('names no address of the cluster to its processes', () => {
    for (const name of CLUSTER_VARIABLES) expect(container?.env).toContainEqual({ name, value: '' });
    expect(probePod(config(), 'n').spec.containers[0]?.env).toEqual([]);
  });

  it('has the claim of its volume, which its user may write to, and PID 1 that measures it', () => {
    const kept = session({ WORKSPACE_PERSIST_VOLUMES: 'true' }, {}, 'claimed').spec;
    expect(kept.volumes[0]).toEqual({ name: 'workspace', persistentVolumeClaim: { claimName: 'claimed' } });
    expect(kept.securityContext).toMatchObject({ fsGroup: 1000 });
    expect(kept.containers[0]?.command).toContain('sandbox-disk');
    expect(spec.containers[0]?.command).not.toContain('sandbox-disk');
  });

  it('may bind the port of the resolver only if sessions may have a network', () => {
    expect(session({ EGRESS_ALLOW: '*' }).spec.securityContext).toMatchObject({
      sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
    });
    expect(spec.securityContext).not.toHaveProperty('sysctls');
  });

  it('has a class of runtime when the operator names one', () => {
    expect(session({ CONTAINER_RUNTIME: 'gvisor' }).spec).toMatchObject({ runtimeClassName: 'gvisor' });
    expect(spec).not.toHaveProperty('runtimeClassName');
  });
});

describe('specHash', () => {
  it('differs with the settings and the options, and not with the owner or the claim', () => {
    const hashes = [
      specHash(config()),
      specHash(config({ CONTAINER_CPU_QUOTA: '30000' })),
      specHash(config(), { memory: '300m' }),
      specHash(config({ WORKSPACE_PERSIST_VOLUMES: 'true' })),
    ];
    expect(new Set(hashes).size).toBe(4);
    expect(specHash(config({ DEPLOYMENT: 'red' }))).toBe(hashes[0]);
    expect(session({ WORKSPACE_PERSIST_VOLUMES: 'true' }, {}, 'one').metadata.annotations?.[ANNOTATION.spec]).toBe(hashes[3]);
  });
});

describe('a pod of the pool', () => {
  it('says which slot it waits in, and for no session', () => {
    const { metadata } = pooledPod(config(), 'n', 3);
    expect(metadata.labels).toMatchObject({ [LABEL.pool]: specHash(config()), [LABEL.slot]: '3' });
    expect(metadata.annotations).not.toHaveProperty([ANNOTATION.session]);
  });
});
