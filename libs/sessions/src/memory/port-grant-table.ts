import { MAX_PORT_GRANTS, type PortGrant, type PortGrants } from '../port-grants';

/** Grants in the memory of this process. */
export class PortGrantTable implements PortGrants {
  /** By the session's key, and by the grant's id. */
  private readonly sessions = new Map<string, Map<string, PortGrant>>();
  /** The key of the session that has the grant, by the grant's id. */
  private readonly keys = new Map<string, string>();

  async addPortGrant(id: string, grant: PortGrant, now: number): Promise<void> {
    for (const key of this.sessions.keys()) this.removeWhere(key, ({ expiresAt }) => expiresAt <= now);
    const grants = this.sessions.get(grant.key) ?? new Map<string, PortGrant>();
    if (grants.size >= MAX_PORT_GRANTS) {
      const first = Math.min(...[...grants.values()].map(({ expiresAt }) => expiresAt));
      const place = [...grants].find(([, { expiresAt }]) => expiresAt === first)![0];
      this.removeWhere(grant.key, (_, other) => other === place);
    }
    this.sessions.set(grant.key, grants.set(id, grant));
    this.keys.set(id, grant.key);
  }

  async findPortGrant(id: string, now: number): Promise<PortGrant | null> {
    const grant = this.sessions.get(this.keys.get(id) ?? '')?.get(id);
    return grant !== undefined && grant.expiresAt > now ? grant : null;
  }

  async removePortGrants(key: string, port: number): Promise<void> {
    this.removeWhere(key, (grant) => grant.port === port);
  }

  private removeWhere(key: string, matches: (grant: PortGrant, id: string) => boolean): void {
    const grants = this.sessions.get(key);
    for (const [id, grant] of grants ?? []) {
      if (!matches(grant, id)) continue;
      grants!.delete(id);
      this.keys.delete(id);
    }
    if (grants?.size === 0) this.sessions.delete(key);
  }
}
