import { Logger } from '@nestjs/common';
import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError, within } from '@sandbox/errors';
import { Redis } from 'ioredis';

/** How long a call to Redis may take in all, whatever the state of the connection. */
export const REDIS_DEADLINE_MS = 2_000;
/** The deadline of a call. A little below the promised deadline, because timers may fire late. */
export const CALL_DEADLINE_MS = REDIS_DEADLINE_MS - 100;
/**
 * How long calls wait for a lost connection to come back, counted from the loss. The rest of the
 * deadline is for the call itself.
 */
export const PATIENCE_MS = CALL_DEADLINE_MS - 200;
/**
 * The connection counts as dead if an answer is due and nothing comes for this long. A host that
 * vanished sends no FIN.
 */
const SILENCE_MS = 3_000;
const MAX_RECONNECT_DELAY_MS = 1_000;

/**
 * Creates a client that reconnects for ever and sends no command twice. A command that is given
 * while the connection is away fails at once. So nothing queues, and nothing runs long after its
 * caller was told that it failed. RedisConnection adds a short patience to that.
 *
 * The client writes concurrent commands one after another without waiting for answers. Its
 * auto-pipelining is off, because it makes a batch wait for the batch before. A silent Redis would
 * then hold calls beyond their deadline, and the rate would be no higher.
 */
function createRedisClient(config: Config): Redis {
  const client = new Redis({
    host: config.REDIS_HOST,
    port: config.REDIS_PORT,
    db: config.REDIS_DB,
    password: config.REDIS_PASSWORD || undefined,
    tls: config.REDIS_TLS ? {} : undefined,
    connectTimeout: REDIS_DEADLINE_MS,
    commandTimeout: CALL_DEADLINE_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt - 1, 10), MAX_RECONNECT_DELAY_MS),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a failover the old primary refuses writes. A new connection by the same name reaches
    // the new primary.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  logOutages(client);
  return client;
}

/**
 * Logs one line when Redis goes away and one when it is back, however often the client tries in
 * between.
 */
function logOutages(client: Redis): void {
  const logger = new Logger('Redis');
  let away = false;
  client.on('error', (error: NodeJS.ErrnoException) => {
    // If a name has two addresses and both refuse, the error has a code and no message.
    if (!away) logger.warn(`Redis is away: ${error.message || error.code}`);
    away = true;
  });
  client.on('ready', () => {
    if (away) logger.log('Redis is back');
    away = false;
  });
}

/** A connection to Redis that survives a short outage and bounds the time of every call. */
export class RedisConnection {
  readonly client: Redis;
  /** Pending during a short outage, rejected once the outage is long, null while connected. */
  private outage: Promise<void> | null = null;

  constructor(config: Config) {
    this.client = createRedisClient(config);
    this.beginOutage();
    this.client.on('close', () => this.beginOutage());
  }

  /**
   * Runs one command. If the connection was lost a moment ago, the command waits for it.
   * @throws SandboxError STORE_UNAVAILABLE within REDIS_DEADLINE_MS if Redis is away, silent,
   *   loading, read-only or out of memory. It is then unknown whether Redis ran the command.
   */
  async runCommand<T>(operation: (client: Redis) => Promise<T>): Promise<T> {
    try {
      return await within(CALL_DEADLINE_MS, this.send(operation), () => {
        throw new Error('No answer in time');
      });
    } catch (cause) {
      throw new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'The session store is not available; try again shortly.', {
        cause,
        retryAfter: 2,
      });
    }
  }

  disconnect(): void {
    // A second disconnect of the client would wait for the end of a socket that has ended already.
    if (this.client.status !== 'end') this.client.disconnect();
  }

  private async send<T>(operation: (client: Redis) => Promise<T>): Promise<T> {
    await this.outage;
    try {
      return await operation(this.client);
    } catch (error) {
      if (!wasNotSent(error)) throw error;
      // The socket has ended, but its `close` event has not come yet.
      this.beginOutage();
      await this.outage;
      return operation(this.client);
    }
  }

  private beginOutage(): void {
    if (this.outage) return;
    this.outage = new Promise((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error('Not connected')), PATIENCE_MS);
      const end = (): void => {
        clearTimeout(patience);
        this.client.off('ready', back).off('end', closed);
      };
      const back = (): void => {
        end();
        this.outage = null;
        resolve();
      };
      const closed = (): void => {
        end();
        reject(new Error('Disconnected'));
      };
      this.client.on('ready', back).on('end', closed);
    });
    // If no call waits, the rejection must not end the process.
    this.outage.catch(() => undefined);
  }
}

/**
 * Whether the client refused a command before sending it. The client has no error class or code for
 * that.
 */
function wasNotSent(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Stream isn't writeable");
}
