import { availableParallelism } from 'node:os';
import { addressesOf, aptSources, npmRegistry, ruleOf, writeCaFile } from '../network/registries';
import { TestDeployment } from './deployment';
import { ALICE, type Client, type Executed, Service } from './service';

/** What a session asks for that has room for a project of Node. */
export const ROOM = { disk: '3g', memory: '2g', cpus: availableParallelism() };

type Told = Executed & { network_denied?: object[] };

/** A service whose sessions reach the registries that this machine is set to. */
export class RegistryService {
  private readonly deployment = new TestDeployment();
  private readonly certificates = writeCaFile();
  readonly registry = npmRegistry();
  /** What apt in the image is set to. */
  sources: URL[] = [];
  service!: Service;

  static async start(): Promise<RegistryService> {
    const started = new RegistryService();
    await started.up('');
    // Known once a sandbox has told it.
    started.sources = await aptSources(started.alice, 'sources');
    await started.service.stop();
    const hosts = [started.registry, ...started.sources].map(({ hostname }) => hostname);
    await started.up((await addressesOf(hosts)).join(','));
    return started;
  }

  get alice(): Client {
    return this.service.client(ALICE);
  }

  /** Makes a session with room that may reach these registries. */
  async create(session_id: string, ...reached: URL[]): Promise<void> {
    const wanted = { session_id, ...ROOM, network: { allow: reached.map(ruleOf) } };
    const { status, body } = await this.alice.request('POST', '/sessions', wanted);
    if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
  }

  /** Runs a command that has to succeed, and that the network refuses nothing. */
  async run(session: string, command: string): Promise<Told> {
    const told: Told = await this.alice.run(session, command, { timeout: 280 });
    // The output of one that succeeds is long, and that of one that fails is the reason.
    if (told.exit_code !== 0) throw new Error(`${command} exited with ${told.exit_code}:\n${told.stdout}${told.stderr}`);
    if (told.network_denied !== undefined) throw new Error(`${command} was refused: ${JSON.stringify(told.network_denied)}`);
    return told;
  }

  async stop(): Promise<void> {
    await this.service?.stop('SIGKILL');
    await this.deployment.removeAll();
    this.certificates.remove();
  }

  private async up(EGRESS_PRIVATE: string): Promise<void> {
    const env = {
      EGRESS_ALLOW: `*,${ruleOf(this.registry)}`,
      EGRESS_MIRRORS: `npm=${this.registry.href}`,
      EGRESS_CA_FILE: this.certificates.path,
      EGRESS_PRIVATE,
      MAX_SESSION_DISK: ROOM.disk,
      MAX_SESSION_MEMORY: ROOM.memory,
      MAX_SESSION_CPUS: String(ROOM.cpus),
      MAX_EXEC_TIMEOUT_SECONDS: '280',
      WORKSPACE_MAX_FILE_SIZE_BYTES: '0',
      ARCHIVE_MAX_BYTES: String(1024 ** 3),
    };
    this.service = await Service.start({ deployment: this.deployment, env });
  }
}
