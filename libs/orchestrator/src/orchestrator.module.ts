import { type DynamicModule, Global, Module } from '@nestjs/common';
import { COMMAND_POLICY, createCommandPolicy } from '@sandbox/command-policy';
import { CONFIG, type Config } from '@sandbox/config';
import { createSessionStore, SESSION_STORE } from '@sandbox/sessions';
import { createSandboxRuntime } from './runtime/create-sandbox-runtime';
import { JobsService } from './jobs/jobs.service';
import { CommandsService } from './commands/commands.service';
import { ReadinessService } from './readiness/readiness.service';
import { SANDBOX_RUNTIME } from './runtime/sandbox-runtime';
import { SessionConnections } from './entering/session-connections';
import { SessionEntrance } from './entering/session-entrance';
import { SessionRemoval } from './entering/session-removal';
import { SessionsService } from './sessions/sessions.service';
import { TerminalsService } from './terminals/terminals.service';
import { WarmPool } from './pool/warm-pool';
import { WorkspaceArchiveService } from './workspace/workspace-archive.service';
import { WorkspaceService } from './workspace/workspace.service';
import { WorkspaceEditService } from './workspace/workspace-edit.service';
import { WorkspaceEntriesService } from './workspace/workspace-entries.service';
import { WorkspaceSearchService } from './workspace/workspace-search.service';
import { WorkspaceViewService } from './workspace/workspace-view.service';

/** The services that transports call. */
const SERVICES = [
  CommandsService,
  SessionsService,
  JobsService,
  TerminalsService,
  WorkspaceService,
  WorkspaceEntriesService,
  WorkspaceSearchService,
  WorkspaceEditService,
  WorkspaceArchiveService,
  WorkspaceViewService,
  ReadinessService,
];

/** The orchestrator with its adapters, for an application that serves clients. */
@Global()
@Module({})
export class OrchestratorModule {
  static register(config: Config): DynamicModule {
    return {
      module: OrchestratorModule,
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: SESSION_STORE, useFactory: () => createSessionStore(config) },
        { provide: SANDBOX_RUNTIME, useFactory: () => createSandboxRuntime(config) },
        { provide: COMMAND_POLICY, useFactory: () => createCommandPolicy(config.ALLOWED_COMMANDS) },
        WarmPool,
        SessionConnections,
        SessionEntrance,
        SessionRemoval,
        ...SERVICES,
      ],
      exports: [CONFIG, SESSION_STORE, SANDBOX_RUNTIME, COMMAND_POLICY, WarmPool, SessionEntrance, ...SERVICES],
    };
  }
}
