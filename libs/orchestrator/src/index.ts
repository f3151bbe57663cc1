export { OrchestratorService, type ExecuteCommand, type ExecuteResult, type SessionInfo } from './orchestrator.service';
export { WorkspaceService, type ByteRange, type FileStream, type WorkspaceEntry } from './workspace.service';
export { SANDBOX_RUNTIME, type EnsuredSandbox, type Sandbox, type SandboxRuntime } from './sandbox-runtime';
