import { PinoLogger } from 'nestjs-pino';
import { storage, Store } from 'nestjs-pino/storage';

/** Runs what no request of Express's stands behind so that its log lines carry an id as a request's do. */
export function withRequestId<T>(requestId: string, work: () => T): T {
  return storage.run(new Store(PinoLogger.root.child({ request_id: requestId })), work);
}
