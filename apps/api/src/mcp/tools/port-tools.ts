import type { PortsService } from '@sandbox/orchestrator';
import { exposePort } from '../../ports/expose-port';
import { ExposedPortDto } from '../../ports/ports.dto';
import type { PreviewHosts } from '../../previews/preview-hosts';
import { ExposePortArgs } from './port-tools.dto';
import { defineTool, type Tool } from './tool';

export function portTools(ports: PortsService, hosts: PreviewHosts): Tool[] {
  return [
    defineTool({
      name: 'expose_port',
      title: 'Expose port',
      description:
        'Makes a URL for a browser to a server in the session, as run with background: true. Whoever has it gets in, for expires_in seconds (3600).',
      annotations: { destructiveHint: false, openWorldHint: false },
      input: ExposePortArgs,
      args: { session_id: null, port: '', expires_in: '' },
      output: ExposedPortDto,
      callTool: ({ session_id, port, expires_in }, { user }) => exposePort(ports, hosts, user, session_id, port, { expires_in }),
    }),
  ];
}
