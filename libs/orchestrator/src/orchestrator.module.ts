import { type DynamicModule, Global, Module } from '@nestjs/common';
import { COMMAND_POLICY, createCommandPolicy } from '@sandbox/command-policy';
import { CONFIG, type Config } from '@sandbox/config';
import { createSessionStore, SESSION_STORE } from '@sandbox/sessions';
import { createSandboxRuntime } from './runtime/create-sandbox-runtime';
import { JobsService } from './jobs/jobs.service';
import { CommandsService } from './commands/commands.service';
import { IdempotencyService } from './idempotency/idempotency.service';
import { PolicyService } from './commands/policy.service';
import { PortsService } from './ports/ports.service';
import { CapabilitiesService } from './capabilities/capabilities.service';
import { ImageProbe } from './readiness/image-probe';
import { ReadinessService } from './readiness/readiness.service';
import { NetworkService } from './network/network.service';
import { OutgoingNetwork } from './outgoing/outgoing-network';
import { SANDBOX_RUNTIME } from './runtime/sandbox-runtime';
import { SessionConnections } from './entering/session-connections';
import { SessionEntrance } from './entering/session-entrance';
import { SessionRemoval } from './entering/session-removal';
import { SessionsService } from './sessions/sessions.service';
import { UsageService } from './sessions/usage.service';
import { TerminalsService } from './terminals/terminals.service';
import { WarmPool } from './pool/warm-pool';
import { WorkspaceArchiveService } from './workspace/workspace-archive.service';
import { WorkspaceService } from './workspace/workspace.service';
import { WorkspaceEditService } from './workspace/workspace-edit.service';
import { WorkspaceEntriesService } from './workspace/workspace-entries.service';
import { WorkspaceSearchService } from './workspace/workspace-search.service';
import { WorkspaceViewService } from './workspace/workspace-view.service';
import { WorkspaceWatchService } from './workspace/workspace-watch.service';

/** The services that transports call. */
const SERVICES = [
  CommandsService,
  PolicyService,
  SessionsService,
  UsageService,
  JobsService,
  TerminalsService,
  PortsService,
  WorkspaceService,
  WorkspaceEntriesService,
  WorkspaceSearchService,
  WorkspaceEditService,
  WorkspaceArchiveService,
  WorkspaceViewService,
  WorkspaceWatchService,
  NetworkService,
  IdempotencyService,
  ReadinessService,
  CapabilitiesService,
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
        OutgoingNetwork,
        ImageProbe,
        SessionConnections,
        SessionEntrance,
        SessionRemoval,
        ...SERVICES,
      ],
      exports: [CONFIG, SESSION_STORE, SANDBOX_RUNTIME, COMMAND_POLICY, WarmPool, OutgoingNetwork, SessionEntrance, ...SERVICES],
    };
  }
}
