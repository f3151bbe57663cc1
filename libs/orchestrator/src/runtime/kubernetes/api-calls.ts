import type { RuntimeCall } from '../sandbox-runtime';
import { statusOf } from './kubernetes-errors';

/** What is asked of the API server. Neither word names an object or a namespace. */
type Kind = Pick<RuntimeCall, 'verb' | 'resource'>;

const VERBS = { POST: 'create', PATCH: 'patch', DELETE: 'delete' } as const;

/** Has the requests to the API server told to a listener, so that an operator can count them. */
export class ApiCalls {
  private listener: (call: RuntimeCall) => void = () => undefined;

  /** Has every request told from now on. Takes the place of the listener before. */
  onCall(listener: (call: RuntimeCall) => void): void {
    this.listener = listener;
  }

  /** Does a request and tells of it when it has ended, also if it fails. */
  async measured<T>(kind: Kind, request: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    const tell = (status: RuntimeCall['status']): void => this.listener({ ...kind, status, seconds: (performance.now() - begun) / 1000 });
    try {
      const answer = await request();
      tell('2xx');
      return answer;
    } catch (error) {
      tell(classOf(statusOf(error)));
      throw error;
    }
  }
}

/** @param path of one of the runtime's own requests */
export function kindOf(method: 'GET' | keyof typeof VERBS, path: string, isWatch = false): Kind {
  const [, folder, name] = /\/namespaces\/[^/]+\/([^/]+)(\/[^/]+)?$/.exec(path) ?? [];
  const resource = folder ?? path.slice(path.lastIndexOf('/') + 1);
  if (method !== 'GET') return { verb: VERBS[method], resource };
  if (isWatch) return { verb: 'watch', resource };
  return { verb: folder !== undefined && name === undefined ? 'list' : 'get', resource };
}

function classOf(status: number | null): RuntimeCall['status'] {
  if (status === null || status < 400) return 'none';
  if (status === 429) return '429';
  return status < 500 ? '4xx' : '5xx';
}
