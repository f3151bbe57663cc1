export { OrchestratorModule } from './orchestrator.module';
export {
  OrchestratorService,
  type ExecuteCommand,
  type ExecuteExit,
  type ExecuteResult,
  type ExecuteStart,
  type ExecuteWatcher,
  type SessionInfo,
} from './orchestrator.service';
export { ReadinessService, type ReadinessChecks } from './readiness.service';
export { WorkspaceService, type ByteRange, type FileStream } from './workspace.service';
export { type WorkspaceEntry } from './workspace-answers';
export { COMMAND_POLICY, describePolicy, type CommandPolicy } from './policy/command-policy';
export { createDockerRuntime } from './docker/docker-runtime';
export { SANDBOX_RUNTIME, type EnsuredSandbox, type Sandbox, type SandboxRuntime } from './sandbox-runtime';
export { Sweeper, type SweepReport } from './sweeper/sweeper';
export { SweeperModule } from './sweeper/sweeper.module';
export { SweeperService, type SweepListener } from './sweeper/sweeper.service';
