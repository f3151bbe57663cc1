import { answerOf, type CallOptions, type Connection } from './connection.ts';
import { type CamelCased, camelCased } from './naming.ts';
import type { components } from './schema.ts';

type Schemas = components['schemas'];

export type ListeningPort = CamelCased<Schemas['ListeningPortDto']>;
export type Preview = CamelCased<Schemas['ExposedPortDto']>;

/** The ports on which programs of a sandbox listen. */
export class Ports {
  private readonly path: { session_id: string };

  constructor(
    private readonly connection: Connection,
    sandboxId: string,
  ) {
    this.path = { session_id: sandboxId };
  }

  async list({ signal }: CallOptions = {}): Promise<ListeningPort[]> {
    const call = this.connection.api.GET('/sessions/{session_id}/ports', { params: { path: this.path }, signal });
    return camelCased((await answerOf(call)).ports);
  }

  /**
   * Gets a URL at which any browser reaches the program. Whoever has the URL can use it.
   * @param options.expiresInMs 60 s to a day; default: an hour
   */
  async open(port: number, { expiresInMs, signal }: CallOptions & { expiresInMs?: number } = {}): Promise<Preview> {
    const body = expiresInMs === undefined ? {} : { expires_in: Math.round(expiresInMs / 1_000) };
    const params = { path: { ...this.path, port } };
    const call = this.connection.api.POST('/sessions/{session_id}/ports/{port}', { params, body, signal });
    return camelCased(await answerOf(call));
  }

  /** Revokes all URLs of the port. */
  async close(port: number, { signal }: CallOptions = {}): Promise<void> {
    const params = { path: { ...this.path, port } };
    await answerOf(this.connection.api.DELETE('/sessions/{session_id}/ports/{port}', { params, signal }));
  }
}
