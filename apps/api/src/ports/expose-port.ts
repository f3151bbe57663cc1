import type { PortsService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { PreviewHosts } from '../previews/preview-hosts';
import { type ExposedPortDto, type ExposePortDto, lifetimeOf } from './ports.dto';

/** Gets a URL for a port, as REST and MCP answer it. */
export async function exposePort(
  ports: PortsService,
  hosts: PreviewHosts,
  user: User,
  sessionId: string,
  port: number,
  options: ExposePortDto,
): Promise<ExposedPortDto> {
  const { token, expiresAt } = await ports.exposePort(user, sessionId, port, lifetimeOf(options));
  return { url: hosts.urlOf({ port, token }), expires_at: new Date(expiresAt).toISOString() };
}
