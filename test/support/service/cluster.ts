import { TestRedis } from './processes';
import { TestDeployment } from './deployment';
import { ALICE, BOB, Client, type Env, Service } from './service';

export const ONE_PROCESS = 'memory store, one process';
/** Its calls pass both the store's network and a second process, so it shows more faults. */
export const REPLICATED = 'Redis store, two processes';

/**
 * The two ways to run the service. It behaves the same in both. Calls whose answer depends on what
 * the store keeps are tested in both, the others in one.
 */
export const SETUPS = [ONE_PROCESS, REPLICATED] as const;
export type Setup = (typeof SETUPS)[number];

/**
 * The whole service for one test file: its processes, its store, and clients. The requests of a
 * client go to the processes in turn.
 */
export class Cluster {
  private turn = 0;

  private constructor(
    readonly deployment: TestDeployment,
    readonly services: readonly Service[],
    readonly redis: TestRedis | undefined,
  ) {}

  static async start(setup: Setup, env: Env = {}): Promise<Cluster> {
    const deployment = new TestDeployment();
    if (setup === ONE_PROCESS) return new Cluster(deployment, [await Service.start({ deployment, env })], undefined);
    const redis = await TestRedis.start();
    const starts = await Promise.allSettled([1, 2].map(() => Service.start({ deployment, redis, env })));
    const services = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const cluster = new Cluster(deployment, services, redis);
    for (const start of starts) {
      if (start.status === 'fulfilled') continue;
      await cluster.stop();
      throw start.reason;
    }
    return cluster;
  }

  get alice(): Client {
    return this.client(ALICE);
  }

  get bob(): Client {
    return this.client(BOB);
  }

  /** @returns a client of the process whose turn it is */
  client(apiKey: string): Client {
    this.turn = (this.turn + 1) % this.services.length;
    return this.services[this.turn]!.client(apiKey);
  }

  async stop(): Promise<void> {
    await Promise.all(this.services.map((service) => service.stop('SIGKILL')));
    await this.redis?.stop();
    await this.deployment.removeAll();
  }
}
