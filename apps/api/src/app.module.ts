import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import type { Config } from '@sandbox/config';
import { OrchestratorModule, SweeperModule } from '@sandbox/orchestrator';
import { AuthGuard } from './auth/auth.guard';
import { AuthModule } from './auth/auth.module';
import { CapabilitiesModule } from './capabilities/capabilities.module';
import { E2bModule } from './e2b/e2b.module';
import { ProblemFilter } from './problems/problem.filter';
import { ExecuteController } from './execute/execute.controller';
import { AnswerOnce } from './idempotency/answer-once';
import { HealthController } from './health/health.controller';
import { JsonBodyGuard } from './request/json-body.guard';
import { JobsController } from './jobs/jobs.controller';
import { McpModule } from './mcp/mcp.module';
import { Metrics } from './metrics/metrics';
import { MetricsController } from './metrics/metrics.controller';
import { PortsController } from './ports/ports.controller';
import { ProxyController } from './ports/proxy.controller';
import { ProxyGateway } from './ports/proxy.gateway';
import { TcpGateway } from './ports/tcp.gateway';
import { GuessedKeys } from './previews/guessed-keys';
import { PreviewGateway } from './previews/preview.gateway';
import { PreviewsModule } from './previews/previews.module';
import { OwnCredentials } from './proxying/own-credentials';
import { NetworkController } from './network/network.controller';
import { PolicyController } from './policy/policy.controller';
import { RateLimitGuard } from './rate-limit/rate-limit.guard';
import { RateLimitModule } from './rate-limit/rate-limit.module';
import { UpgradeRouter } from './server/upgrade-router';
import { SessionsController } from './sessions/sessions.controller';
import { TerminalController } from './terminals/terminal.controller';
import { TerminalGateway } from './terminals/terminal.gateway';
import { TerminalTickets } from './terminals/terminal-tickets';
import { DtoValidationPipe } from './validation/dto-validation.pipe';
import { ArchiveController } from './workspace/archive.controller';
import { WorkspaceController } from './workspace/workspace.controller';
import { EditController } from './workspace/edit.controller';
import { EntriesController } from './workspace/entries.controller';
import { SearchController } from './workspace/search.controller';
import { WatchController } from './workspace/watch.controller';

/** The transports over the orchestrator, and the guards, pipe and filter of all their routes. */
@Module({})
export class AppModule {
  static register(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        OrchestratorModule.register(config),
        AuthModule,
        RateLimitModule,
        McpModule,
        CapabilitiesModule,
        PreviewsModule,
        E2bModule,
        // With the memory store, only this process knows the sessions. So no separate worker can
        // sweep them.
        ...(config.SESSION_STORE === 'memory' ? [SweeperModule] : []),
      ],
      controllers: [
        ExecuteController,
        JobsController,
        SessionsController,
        NetworkController,
        PolicyController,
        TerminalController,
        PortsController,
        ProxyController,
        WorkspaceController,
        EntriesController,
        SearchController,
        WatchController,
        EditController,
        ArchiveController,
        HealthController,
        MetricsController,
      ],
      providers: [
        AnswerOnce,
        Metrics,
        TerminalGateway,
        TerminalTickets,
        PreviewGateway,
        GuessedKeys,
        ProxyGateway,
        TcpGateway,
        OwnCredentials,
        UpgradeRouter,
        // Guards run in this order: who is the user, then how much has the user asked for. Only
        // then is a body read.
        { provide: APP_GUARD, useClass: AuthGuard },
        { provide: APP_GUARD, useClass: RateLimitGuard },
        { provide: APP_GUARD, useClass: JsonBodyGuard },
        { provide: APP_PIPE, useClass: DtoValidationPipe },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
