import { answerOf, type CallOptions, type Connection } from './connection.ts';
import { type CamelCased, camelCased } from './naming.ts';
import type { components } from './schema.ts';

type Schemas = components['schemas'];

export type NetworkInfo = CamelCased<Schemas['NetworkDto']>;
export type NetworkCheck = CamelCased<Schemas['NetworkCheckDto']>;

/** Which servers the programs of a sandbox may reach. */
export class Network {
  private readonly path: { session_id: string };

  constructor(
    private readonly connection: Connection,
    sandboxId: string,
  ) {
    this.path = { session_id: sandboxId };
  }

  /** Tells the rules, and the last connections and refusals. */
  async get({ signal }: CallOptions = {}): Promise<NetworkInfo> {
    const call = this.connection.api.GET('/sessions/{session_id}/network', { params: { path: this.path }, signal });
    return camelCased(await answerOf(call));
  }

  /**
   * Sets other rules. Connections that they do not allow are cut.
   * @param allow names and presets, such as `packages` or `*.example.com`
   */
  async set(allow: string[], { signal }: CallOptions = {}): Promise<void> {
    const params = { path: this.path };
    await answerOf(this.connection.api.PUT('/sessions/{session_id}/network', { params, body: { allow }, signal }));
  }

  /** Tells whether a server can be reached, and why not. */
  async check(host: string, port: number, { signal }: CallOptions = {}): Promise<NetworkCheck> {
    const body = { ...this.path, host, port };
    return camelCased(await answerOf(this.connection.api.POST('/network/check', { body, signal })));
  }
}
