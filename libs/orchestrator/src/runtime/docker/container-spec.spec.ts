import { loadConfig } from '@sandbox/config';
import type { SandboxOptions } from '@sandbox/sessions';
import { containerName, containerSpec, pooledSpec, specHash, volumeName } from './container-spec';
import { watchingInit } from '../init-process';
import { workspaceMount } from './workspace-volume';

const configOf = (variables: NodeJS.ProcessEnv = {}) => loadConfig({ DEPLOYMENT: 'prod', ...variables }, { needsAuth: false });
const owner = { key: 'ab'.repeat(32), userKey: 'cd'.repeat(32) };
const tmpfs = (variables: NodeJS.ProcessEnv = {}) => containerSpec(configOf(variables), owner).HostConfig.Tmpfs;

describe('containerSpec', () => {
  const config = configOf();
  const spec = containerSpec(config, owner);

  it('names container and volume after deployment and session', () => {
    expect(containerName(config, owner.key)).toBe(`sandbox-prod-${'ab'.repeat(32)}`);
    expect(volumeName(config, owner.key)).toBe(`sandbox-prod-${'ab'.repeat(16)}-workspace`);
    expect(spec.name).toBe(containerName(config, owner.key));
  });

  it('labels the container with deployment, kind, session, user and hash', () => {
    expect(spec.Labels).toEqual({
      'sandbox-api.deployment': 'prod',
      'sandbox-api.kind': 'session',
      'sandbox-api.session': owner.key,
      'sandbox-api.user': owner.userKey,
      'sandbox-api.spec': specHash(config),
    });
  });

  it('gives the container no privilege, no network and a read-only root', () => {
    expect(spec).toMatchObject({
      User: '1000:1000',
      WorkingDir: '/workspace',
      Tty: false,
      OpenStdin: false,
      Healthcheck: { Test: ['NONE'] },
    });
    expect(spec.Env).toEqual([
      'HOME=/workspace',
      'LANG=C.UTF-8',
      'PYTHONUNBUFFERED=1',
      'PIP_BREAK_SYSTEM_PACKAGES=1',
      'NPM_CONFIG_PREFIX=/workspace/.local',
      'CARGO_INSTALL_ROOT=/workspace/.local',
      'GOBIN=/workspace/.local/bin',
      'CARGO_HOME=/workspace/.cargo',
      'GOPATH=/workspace/go',
      'GRADLE_USER_HOME=/workspace/.gradle',
      'MAVEN_OPTS=-Duser.home=/workspace',
    ]);
    expect(spec.HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ['ALL'],
      NetworkMode: 'none',
      IpcMode: 'private',
      LogConfig: { Type: 'none' },
      RestartPolicy: { Name: 'no' },
      OomScoreAdj: 500,
      Init: false,
    });
    expect(spec.HostConfig.SecurityOpt).toEqual([
      'no-new-privileges:true',
      expect.stringMatching(/^seccomp=\{"defaultAction":"SCMP_ACT_ERRNO"/),
    ]);
  });

  it('has the variables and directories of mirrors when some are set', () => {
    const { Env, HostConfig } = containerSpec(configOf({ EGRESS_MIRRORS: 'npm=https://n.test/,cargo=https://c.test/' }), owner);
    expect(Env!.filter((entry) => !spec.Env!.includes(entry))).toEqual(expect.arrayContaining(['NPM_CONFIG_REGISTRY=https://n.test/']));
    const { '/run/surroundings': run, '/.cargo': cargo, ...others } = HostConfig.Tmpfs!;
    expect(others).toEqual(tmpfs());
    expect(run).toBe('rw,nosuid,nodev,noexec,uid=1000,gid=1000,mode=0755,size=4194304,nr_inodes=1024');
    expect(cargo).toBe('rw,nosuid,nodev,noexec,uid=1000,gid=1000,mode=0755,size=65536,nr_inodes=16');
  });

  it.each([
    'Binds',
    'Devices',
    'DeviceRequests',
    'CapAdd',
    'VolumesFrom',
    'PortBindings',
    'Mounts',
    'PidMode',
    'UsernsMode',
    'GroupAdd',
    'Runtime',
  ])('asks for no %s', (member) => {
    expect(spec.HostConfig).not.toHaveProperty(member);
  });

  it('limits the container as the configuration says', () => {
    const limited = configOf({
      CONTAINER_MEM_LIMIT: '512m',
      CONTAINER_CPU_PERIOD: '50000',
      CONTAINER_CPU_QUOTA: '40000',
      CONTAINER_PIDS_LIMIT: '99',
      CONTAINER_ULIMIT_NOFILE_SOFT: '100',
      CONTAINER_ULIMIT_NOFILE_HARD: '200',
    });
    expect(containerSpec(limited, owner).HostConfig).toMatchObject({
      Memory: 512 * 1024 ** 2,
      MemorySwap: 512 * 1024 ** 2,
      CpuShares: 128,
      CpuPeriod: 50_000,
      CpuQuota: 40_000,
      PidsLimit: 99,
      ShmSize: 16 * 1024 ** 2,
      Ulimits: [
        { Name: 'nofile', Soft: 100, Hard: 200 },
        { Name: 'core', Soft: 1, Hard: 1 },
      ],
    });
  });

  it('mounts /tmp, /dev/shm and /workspace as bounded tmpfs', () => {
    expect(tmpfs({ CONTAINER_TMPFS_TMP_SIZE: '8k', CONTAINER_TMPFS_WORKSPACE_SIZE: '10000' })).toEqual({
      '/tmp': 'rw,nosuid,nodev,exec,mode=1777,size=8192,nr_inodes=2',
      '/dev/shm': 'rw,nosuid,nodev,exec,mode=1777,size=16777216,nr_inodes=4096',
      '/workspace': 'rw,nosuid,nodev,exec,uid=1000,gid=1000,mode=0700,size=10000,nr_inodes=234871',
    });
  });

  it('gives /workspace the inodes that the memory allows, and never fewer than it has pages', () => {
    const inodes = (memory?: string, variables: NodeJS.ProcessEnv = {}): number => {
      const { '/workspace': mount } = containerSpec(configOf(variables), owner, memory === undefined ? {} : { memory }).HostConfig.Tmpfs!;
      return Number(/nr_inodes=(\d+)$/.exec(mount!)![1]);
    };
    expect(inodes()).toBe(Math.floor((96 * 1024 ** 2) / 1000));
    expect(inodes()).toBeGreaterThanOrEqual(config.ARCHIVE_MAX_ENTRIES);
    expect(inodes('1g')).toBe(Math.floor((864 * 1024 ** 2) / 1000));
    expect(inodes('177m', { CONTAINER_TMPFS_TMP_SIZE: '1m' })).toBe(32_768);
  });

  const { '/workspace': _workspace, ...otherTmpfs } = tmpfs()!;
  const onDisk = (bytes: number, entries: number, changes: object = {}): [object, object] => [
    { Tmpfs: otherTmpfs, ...changes },
    { Entrypoint: watchingInit(bytes, entries), Env: [...spec.Env!, 'TMPDIR=/workspace/.tmp'] },
  ];

  it.each<[SandboxOptions, object, object?]>([
    [{}, {}],
    [{ image: 'debian:12' }, {}],
    [{ env: { A: 'b' } }, {}],
    [
      { memory: '200m' },
      {
        Memory: 200 * 1024 ** 2,
        MemorySwap: 200 * 1024 ** 2,
        Tmpfs: { ...otherTmpfs, '/workspace': expect.stringMatching(/,size=134217728,nr_inodes=41943$/) },
      },
    ],
    [{ cpus: 0.25 }, { CpuQuota: 25_000 }],
    [{ cpus: 0.001 }, { CpuQuota: 1_000 }],
    [{ pids: 7 }, { PidsLimit: 7 }],
    [{ persistent: false }, {}],
    [{ persistent: true }, ...onDisk(10 * 1024 ** 3, 1_310_720)],
    [{ disk: '2g' }, ...onDisk(2 * 1024 ** 3, 262_144)],
    [
      { image: 'debian:12', memory: '1g', cpus: 2, pids: 9, persistent: true, disk: '16m', env: {} },
      ...onDisk(16 * 1024 ** 2, 100_000, { Memory: 1024 ** 3, MemorySwap: 1024 ** 3, CpuQuota: 200_000, PidsLimit: 9 }),
    ],
  ])('changes nothing else when the session asks for %j', (options, change, more = {}) => {
    const { HostConfig, Image, Labels, ...rest } = containerSpec(config, owner, options);
    expect(HostConfig).toEqual({ ...spec.HostConfig, ...change });
    expect(Image).toBe(options.image ?? spec.Image);
    const { HostConfig: _host, Image: _image, Labels: labels, ...others } = spec;
    expect(rest).toEqual({ ...others, ...more });
    expect(Labels).toMatchObject({ ...labels, 'sandbox-api.spec': specHash(config, options) });
  });

  it('mounts a volume, and leaves its bytes to the kernel when that bounds them', () => {
    const mount = workspaceMount(config, owner, { disk: '2g' }, 2 * 1024 ** 3, 'quota');
    const bounded = containerSpec(config, owner, { disk: '2g' }, {}, mount, 'quota');
    expect(bounded.HostConfig.Mounts).toEqual([mount]);
    expect(bounded.Entrypoint).toEqual(watchingInit(0, 262_144));
    expect(bounded.Labels).toEqual(containerSpec(config, owner, { disk: '2g' }, {}, mount).Labels);
  });

  it('confines a pooled container in the same way as one of a session', () => {
    const { HostConfig, Labels: _labels, name: _name, ...rest } = pooledSpec(config, 3);
    expect(HostConfig).toEqual(spec.HostConfig);
    expect(spec).toMatchObject(rest);
  });

  it('asks for the container runtime that the configuration names', () => {
    expect(containerSpec(configOf({ CONTAINER_RUNTIME: 'runsc' }), owner).HostConfig.Runtime).toBe('runsc');
  });
});

describe('specHash', () => {
  it('has 16 hex digits', () => expect(specHash(configOf())).toMatch(/^[0-9a-f]{16}$/));

  it.each([
    ['CONTAINER_IMAGE', 'debian:12'],
    ['CONTAINER_MEM_LIMIT', '300m'],
    ['WORKSPACE_PERSIST_VOLUMES', 'true'],
    ['CONTAINER_RUNTIME', 'crun'],
  ])('changes when %s has another value', (name, value) => {
    expect(specHash(configOf({ [name]: value }))).not.toBe(specHash(configOf()));
  });

  it.each<[SandboxOptions]>([
    [{ image: 'debian:12' }],
    [{ memory: '300m' }],
    [{ cpus: 1 }],
    [{ pids: 7 }],
    [{ persistent: true }],
    [{ disk: '1g' }],
  ])('changes when the session asks for %j', (options) => expect(specHash(configOf(), options)).not.toBe(specHash(configOf())));

  it.each([
    ['PORT', '1'],
    ['DEPLOYMENT', 'other'],
    ['SESSION_TTL_SECONDS', '5'],
  ])('stays the same when %s has another value', (name, value) => {
    expect(specHash(configOf({ [name]: value }))).toBe(specHash(configOf()));
  });
});
