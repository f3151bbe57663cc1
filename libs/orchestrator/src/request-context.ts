import { AsyncLocalStorage } from 'node:async_hooks';

/** What of the request under way every layer may want to log. */
export interface RequestContext {
  readonly requestId: string;
}

export const requestContext = new AsyncLocalStorage<RequestContext>();
