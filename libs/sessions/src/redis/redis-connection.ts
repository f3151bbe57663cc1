import { Logger } from '@nestjs/common';
import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { Redis } from 'ioredis';
import { STORE_DEADLINE_MS } from '../session-store';

/** A call is answered or given up by then, milliseconds; a little below the promised deadline, for the timer's own lateness. */
const CALL_DEADLINE_MS = STORE_DEADLINE_MS - 100;
/** How long calls wait for a lost connection to come back, counted from its loss, milliseconds; what is left is for the call itself. */
const PATIENCE_MS = CALL_DEADLINE_MS - 200;
/** A connection on which an answer is due and nothing comes for so long is dead, milliseconds: a host that vanished sends no FIN. */
const SILENCE_MS = 3_000;
const MAX_RECONNECT_DELAY_MS = 1_000;

/**
 * A client that reconnects for ever and sends no command twice. A command given while the connection is away fails at once: nothing
 * queues, and nothing is executed long after its caller was told that it failed. RedisConnection adds patience to that.
 *
 * Concurrent commands are written one behind the other without waiting for answers. The client's auto-pipelining is off: it would
 * make a batch wait for the one before, and so a silent Redis hold calls beyond their deadline, for no gain in rate.
 */
function createRedisClient(config: Config): Redis {
  const client = new Redis({
    host: config.REDIS_HOST,
    port: config.REDIS_PORT,
    db: config.REDIS_DB,
    password: config.REDIS_PASSWORD || undefined,
    tls: config.REDIS_TLS ? {} : undefined,
    connectTimeout: STORE_DEADLINE_MS,
    commandTimeout: CALL_DEADLINE_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt - 1, 10), MAX_RECONNECT_DELAY_MS),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a failover the old primary refuses writes; its name leads to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  logOutages(client);
  return client;
}

/** One line when Redis goes away and one when it is back, however often it is tried in between. */
function logOutages(client: Redis): void {
  const logger = new Logger('Redis');
  let away = false;
  client.on('error', (error: NodeJS.ErrnoException) => {
    // The error of a refused connection to a name with two addresses has a code and no message.
    if (!away) logger.warn(`Redis is away: ${error.message || error.code}`);
    away = true;
  });
  client.on('ready', () => {
    if (away) logger.log('Redis is back');
    away = false;
  });
}

/** A connection to Redis that rides out a short outage and bounds every call. */
export class RedisConnection {
  readonly client: Redis;
  /** Pending while the outage is short, rejected once it is long; null while connected. */
  private outage: Promise<void> | null = null;

  constructor(config: Config) {
    this.client = createRedisClient(config);
    this.beginOutage();
    this.client.on('close', () => this.beginOutage());
  }

  /**
   * Runs one command on the connection, waiting for it where it was lost a moment ago.
   * @throws SandboxError STORE_UNAVAILABLE within STORE_DEADLINE_MS: away, silent, loading, read-only, out of memory. Whether the
   * command was carried out is then unknown.
   */
  async run<T>(operation: (client: Redis) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('No answer in time')), CALL_DEADLINE_MS);
    });
    try {
      return await Promise.race([this.send(operation), late]);
    } catch (cause) {
      throw new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'The session store is not available; try again shortly.', {
        cause,
        retryAfter: 2,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  disconnect(): void {
    // The client's own disconnect, given twice, waits for the end of a socket that has ended.
    if (this.client.status !== 'end') this.client.disconnect();
  }

  private async send<T>(operation: (client: Redis) => Promise<T>): Promise<T> {
    await this.outage;
    try {
      return await operation(this.client);
    } catch (error) {
      if (!wasNotSent(error)) throw error;
      // The socket has ended and its `close` is yet to be told.
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
    // Also where nobody is waiting, its rejection is no fault of the process.
    this.outage.catch(() => undefined);
  }
}

/** The client has no error class or code for this. */
function wasNotSent(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Stream isn't writeable");
}
