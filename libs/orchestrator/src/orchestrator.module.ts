import { type DynamicModule, Global, Module } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { createSessionStore, SESSION_STORE } from '@sandbox/sessions';
import { createDockerRuntime } from './docker/docker-runtime';
import { OrchestratorService } from './orchestrator.service';
import { COMMAND_POLICY, createCommandPolicy } from './policy/command-policy';
import { ReadinessService } from './readiness.service';
import { SANDBOX_RUNTIME } from './sandbox-runtime';
import { SessionSandboxes } from './session-sandboxes';
import { WorkspaceArchiveService } from './workspace-archive.service';
import { WorkspaceService } from './workspace.service';

/** The core with its adapters, for an application that serves clients. */
@Global()
@Module({})
export class OrchestratorModule {
  static register(config: Config): DynamicModule {
    return {
      module: OrchestratorModule,
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: SESSION_STORE, useFactory: () => createSessionStore(config) },
        { provide: SANDBOX_RUNTIME, useFactory: () => createDockerRuntime(config) },
        { provide: COMMAND_POLICY, useFactory: () => createCommandPolicy(config.ALLOWED_COMMANDS) },
        SessionSandboxes,
        OrchestratorService,
        WorkspaceService,
        WorkspaceArchiveService,
        ReadinessService,
      ],
      exports: [
        CONFIG,
        SESSION_STORE,
        SANDBOX_RUNTIME,
        COMMAND_POLICY,
        OrchestratorService,
        WorkspaceService,
        WorkspaceArchiveService,
        ReadinessService,
      ],
    };
  }
}
