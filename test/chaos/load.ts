import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../support/fuzzing';
import type { Journal } from './journal';
import { SessionLedger } from './ledger';
import { SessionClient } from './session-client';
import type { World } from './world';

export const API_KEYS = ['chaos-key-of-user-1', 'chaos-key-of-user-2', 'chaos-key-of-user-3'];
const SESSIONS_PER_USER = 2;
const CLIENTS_PER_SESSION = 2;
/**
 * Names of sessions that come and go. Few, so that a new session often has the name of a deleted
 * one.
 */
const PASSING_NAMES = 3;
const FILES_PER_CLIENT = 16;
/** A file of which clients only ever send halves. */
const BROKEN_OFF = 'broken-off';
/** The longest pause between two calls of a client. */
const THINK_MS = 150;

/** Clients that call the service, each one call after another, until they are told to stop. */
export class Load {
  /** Sessions that live through the whole run. */
  readonly sessions: SessionLedger[];
  /** The clients of these sessions and of those that come and go. */
  readonly clients: SessionClient[] = [];
  private readonly running: Promise<void>[] = [];
  private stopping = false;
  private tokens = 0;

  constructor(
    private readonly world: World,
    private readonly journal: Journal,
    private readonly fork: () => Random,
    private readonly persistent: boolean,
  ) {
    this.sessions = API_KEYS.flatMap((apiKey, user) =>
      Array.from({ length: SESSIONS_PER_USER }, (_, index) => this.ledger(apiKey, `user ${user + 1} session ${index + 1}`)),
    );
  }

  start(): void {
    for (const session of this.sessions) {
      for (let index = 0; index < CLIENTS_PER_SESSION; index++) this.running.push(this.use(this.client(session, this.fork()), index));
    }
    for (const apiKey of API_KEYS) this.running.push(this.comeAndGo(apiKey));
  }

  /** Begins no further call. Resolves once the calls under way have ended. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.running);
  }

  client(session: SessionLedger, random: Random): SessionClient {
    const client = new SessionClient(this.world, this.journal, random, session);
    this.clients.push(client);
    return client;
  }

  private async use(client: SessionClient, index: number): Promise<void> {
    const random = this.fork();
    const path = (): string => `${index}/file-${random(FILES_PER_CLIENT)}`;
    while (!this.stopping) {
      const dice = random(100);
      if (dice < 40) await client.append(this.token());
      else if (dice < 60) await client.write(path(), this.token());
      else if (dice < 75) await client.edit(`${index}/edited`, this.token());
      else if (dice < 90) await client.read(client.session.file(path()));
      else if (dice < 96) await client.job(this.token());
      else if (dice < 98) await client.abandon();
      else await client.breakOff(BROKEN_OFF);
      await sleep(random(THINK_MS));
    }
  }

  /** Creates, uses and deletes sessions of one user. */
  private async comeAndGo(apiKey: string): Promise<void> {
    const random = this.fork();
    const clients = Array.from({ length: PASSING_NAMES }, (_, index) =>
      this.client(this.ledger(apiKey, `passing ${index + 1} of ${apiKey}`), this.fork()),
    );
    while (!this.stopping) {
      const client = clients[random(clients.length)]!;
      const file = client.session.file('kept');
      if (random(2) === 0) await client.breakOff(BROKEN_OFF);
      await client.create();
      // Nobody has written it since the last session of that name was deleted.
      await client.read(file);
      await client.read(client.session.file(BROKEN_OFF));
      for (let calls = random(3); calls >= 0 && !this.stopping; calls--) {
        await client.append(this.token());
        await client.write(file.path, this.token());
        await client.read(file);
      }
      await client.check();
      await client.remove();
      await sleep(random(THINK_MS));
    }
  }

  private ledger(apiKey: string, name: string): SessionLedger {
    return new SessionLedger(this.world.deployment.name, apiKey, name, this.persistent, this.world.own?.outages ?? []);
  }

  private token(): string {
    return `<${(++this.tokens).toString(36).padStart(6, '0')}>`;
  }
}
