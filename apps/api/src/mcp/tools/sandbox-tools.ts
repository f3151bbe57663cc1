import { Inject, Injectable } from '@nestjs/common';
import type { Tool as ToolDescriptor } from '@modelcontextprotocol/sdk/types.js';
import { CONFIG, type Config } from '@sandbox/config';
import {
  CommandsService,
  JobsService,
  PortsService,
  SANDBOX_RUNTIME,
  type SandboxRuntime,
  SessionsService,
  WorkspaceEntriesService,
  WorkspaceService,
  WorkspaceEditService,
  WorkspaceSearchService,
  WorkspaceViewService,
} from '@sandbox/orchestrator';
import { PreviewHosts } from '../../previews/preview-hosts';
import { executeTool } from './execute-tool';
import { jobTools } from './job-tools';
import { portTools } from './port-tools';
import { sessionTools } from './session-tools';
import { readTool } from './read-tool';
import type { Tool } from './tool';
import { workspaceTools } from './workspace-tools';
import { editTool } from './edit-tool';
import { searchTool } from './search-tool';

/**
 * The tools by name. They are created once, because their schemas and descriptions hold for the
 * life of the process.
 */
@Injectable()
export class SandboxTools {
  private readonly tools: ReadonlyMap<string, Tool>;

  constructor(
    sessions: SessionsService,
    commands: CommandsService,
    jobs: JobsService,
    workspace: WorkspaceService,
    entries: WorkspaceEntriesService,
    searches: WorkspaceSearchService,
    edits: WorkspaceEditService,
    views: WorkspaceViewService,
    ports: PortsService,
    hosts: PreviewHosts,
    @Inject(CONFIG) config: Config,
    @Inject(SANDBOX_RUNTIME) { capabilities }: Pick<SandboxRuntime, 'capabilities'>,
  ) {
    const tools = [
      ...sessionTools(sessions, config, capabilities),
      executeTool(commands, jobs, config),
      ...jobTools(jobs, config),
      ...portTools(ports, hosts),
      ...workspaceTools(workspace, entries, config),
      readTool(views, config),
      searchTool(searches, config),
      editTool(edits, config),
    ];
    this.tools = new Map(tools.map((tool) => [tool.descriptor.name, tool]));
  }

  list(): ToolDescriptor[] {
    return [...this.tools.values()].map((tool) => tool.descriptor);
  }

  names(): string[] {
    return [...this.tools.keys()];
  }

  find(name: string): Tool | undefined {
    return this.tools.get(name);
  }
}
