import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Child, eventually, freePort } from '../support/service/processes';
import { docker, TestDeployment } from '../support/service/deployment';
import { ALICE, Client } from '../support/service/service';

const ROOT = resolve(__dirname, '../..');
/** Long enough to build the images without any cache on a slow machine. */
const BUILD_DEADLINE_MS = 14 * 60_000;
const COMPOSE_DEADLINE_MS = 3 * 60_000;

/** `docker compose` if the CLI has it, else `docker-compose`. */
const COMPOSE = spawnSync('docker', ['compose', 'version']).status === 0 ? ['docker', 'compose'] : ['docker-compose'];

jest.setTimeout(COMPOSE_DEADLINE_MS);

/**
 * The composition of the repository, under a project name, a port and image tags of the test's own.
 */
class Composition {
  readonly deployment = new TestDeployment();
  private readonly directory = mkdtempSync(join(tmpdir(), 'sandbox-compose-'));
  private readonly arguments: string[];

  constructor(readonly port: number) {
    const env = join(this.directory, 'env');
    const override = join(this.directory, 'override.yml');
    const settings = {
      API_KEYS: ALICE,
      PORT: port,
      DEPLOYMENT: this.name,
      CONTAINER_IMAGE: this.agentImage,
      REDIS_PASSWORD: 'pa ss$word',
      SESSION_TTL_SECONDS: 5,
      CLEANUP_INTERVAL_SECONDS: 1,
    };
    writeFileSync(
      env,
      Object.entries(settings)
        .map(([name, value]) => `${name}='${value}'\n`)
        .join(''),
    );
    const images = { api: this.name, cleanup: this.name, 'agent-image': this.agentImage };
    writeFileSync(
      override,
      JSON.stringify({ services: Object.fromEntries(Object.entries(images).map(([service, image]) => [service, { image }])) }),
    );
    this.arguments = [
      '-p',
      this.name,
      '--project-directory',
      ROOT,
      '--env-file',
      env,
      '-f',
      join(ROOT, 'docker-compose.yml'),
      '-f',
      override,
    ];
  }

  get name(): string {
    return this.deployment.name;
  }

  get agentImage(): string {
    return `${this.name}-agent`;
  }

  get client(): Client {
    return new Client(`http://127.0.0.1:${this.port}`, { 'X-API-Key': ALICE });
  }

  /** @returns the command's output. If the command fails, an error with its output is thrown. */
  async compose(...args: string[]): Promise<string> {
    return run([...COMPOSE, ...this.arguments, ...args]);
  }

  /** @returns what `docker inspect` shows of a service's container */
  async inspect(service: string) {
    const label = [`com.docker.compose.project=${this.name}`, `com.docker.compose.service=${service}`];
    const [container] = await docker.listContainers({ all: true, filters: { label } });
    return docker.getContainer(container!.Id).inspect();
  }

  async removeAll(): Promise<void> {
    await this.compose('down', '--volumes');
    await this.deployment.removeAll();
    for (const image of [this.name, this.agentImage]) await docker.getImage(image).remove();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/**
 * The environment for compose: only what it needs to find Docker. The tests' own variables, such as
 * API_KEYS, must not reach it.
 */
async function run([command, ...args]: string[]): Promise<string> {
  const names = ['PATH', 'HOME', 'DOCKER_HOST', 'NODE_EXTRA_CA_CERTS'];
  const env = Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  const child = new Child(spawn(command!, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] }));
  const code = await child.exited;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${code}:\n${child.output.slice(-4000)}`);
  return child.output;
}

describe('docker-compose up --build', () => {
  let composition: Composition;

  beforeAll(async () => {
    await run([process.execPath, join(ROOT, 'scripts/standin-images.mjs')]);
    composition = new Composition(await freePort());
    await composition.compose('up', '--build', '--detach');
    const healthy = async (service: string) => (await composition.inspect(service)).State.Health?.Status === 'healthy';
    for (const service of ['redis', 'api', 'cleanup']) await eventually(`${service} is healthy`, () => healthy(service), 90);
  }, BUILD_DEADLINE_MS);

  afterAll(() => composition.removeAll(), COMPOSE_DEADLINE_MS);

  test('runs commands when they come through the published port', async () => {
    const { client } = composition;
    expect((await client.request('PUT', client.workspace('s', 'hello.txt', true), { content: 'from outside' })).status).toBe(204);
    expect(await client.run('s', 'cat hello.txt; python3 -c "print(6 * 7)"')).toMatchObject({ stdout: 'from outside42\n', exit_code: 0 });
    expect((await client.request('GET', client.workspace('s', 'hello.txt', true))).body).toEqual({
      content: 'from outside',
      encoding: 'utf8',
    });
    expect((await new Client(client.url, {}).execute('s', 'id')).status).toBe(401);
    expect((await client.request('GET', '/ready')).body).toMatchObject({ status: 'ready', channel: 'direct' });
  });

  test.each(['api', 'cleanup'])(
    'gives %s a read-only root, no capabilities or new privileges, and only the mounts of its settings',
    async (service) => {
      const { HostConfig, Mounts } = await composition.inspect(service);
      expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false });
      expect(HostConfig.SecurityOpt).toContainEqual(expect.stringMatching(/^no-new-privileges/));
      expect(Mounts.map(({ Destination }) => Destination).sort()).toEqual([
        '/run/no-certificates',
        '/run/sandbox-api',
        '/var/run/docker.sock',
      ]);
    },
  );

  test('keeps Redis complete and private when it is up', async () => {
    const { HostConfig, Mounts } = await composition.inspect('redis');
    expect(HostConfig.PortBindings ?? {}).toEqual({});
    expect(Mounts.map(({ Type, Destination }) => `${Type} ${Destination}`)).toEqual(['volume /data']);
    const ask = (command: string) => composition.compose('exec', '-T', 'redis', 'sh', '-c', command);
    expect(await ask('REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli config get maxmemory-policy')).toContain('noeviction');
    expect(await ask('redis-cli ping || true')).toContain('NOAUTH');
  });

  test('removes a session by the cleanup container when it has expired', async () => {
    const left = async () => (await composition.deployment.containers()).map(({ Id }) => Id.slice(0, 12));
    await composition.compose('stop', 'cleanup');
    const { container_id } = await composition.client.run('to-expire', 'true');
    await new Promise((expired) => setTimeout(expired, 8_000));
    expect(await left()).toContain(container_id);
    await composition.compose('start', 'cleanup');
    await eventually('the expired container is gone', async () => !(await left()).includes(container_id));
    expect(await composition.compose('logs', 'cleanup')).toContain(container_id);
  });

  test('leaves only the volume and live sandboxes when it goes down', async () => {
    await composition.client.request('POST', '/sessions', { session_id: 'lives', ttl_seconds: 3600 });
    const { container_id } = await composition.client.run('lives', 'true');
    const waits = async () => (await composition.deployment.containers()).filter(({ slot }) => slot !== null);
    await eventually('the pool is filled', async () => (await waits()).length > 0);
    await composition.compose('down');
    expect((await composition.deployment.containers()).map(({ Id }) => Id.slice(0, 12))).toEqual([container_id]);
    const filters = { label: [`com.docker.compose.project=${composition.name}`] };
    expect(await docker.listContainers({ all: true, filters })).toEqual([]);
    expect(await docker.listNetworks({ filters })).toEqual([]);
    expect((await docker.listVolumes({ filters })).Volumes.map(({ Name }) => Name)).toEqual([`${composition.name}_redis-data`]);
  });
});
