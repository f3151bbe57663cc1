export { OrchestratorModule } from './orchestrator.module';
export { CommandsService } from './commands/commands.service';
export { type ExecuteCommand } from './commands/execute-command';
export { type ExecuteWatcher } from './commands/command-output';
export { SessionsService, type CreatedSession, type SessionInfo } from './sessions/sessions.service';
export { type ExecuteExit, type ExecuteResult, type ExecuteStart } from './commands/execute-answer';
export { JobsService, MAX_JOB_INPUT_BYTES, MAX_JOB_READ_BYTES, MAX_JOB_WAIT_SECONDS } from './jobs/jobs.service';
export { type Job, type JobCommand, type JobOutput, type OutputQuery, type StartedJob } from './jobs/job';
export { type JobOffsets, type JobWatcher } from './jobs/job-reader';
export { JOB_STATES, type JobState, type JobStream } from './keepers/job-answers';
export { JOB_SIGNALS, signalNumber } from './jobs/signals';
export { TerminalsService, type TerminalName, type TerminalSize, type TerminalWatcher } from './terminals/terminals.service';
export { SessionEntrance } from './entering/session-entrance';
export { WarmPool, type PoolState } from './pool/warm-pool';
export { ReadinessService, type ReadinessChecks } from './readiness/readiness.service';
export {
  WorkspaceService,
  type ByteRange,
  type FilePart,
  type FileStream,
  type LineRange,
  type WorkspaceListing,
} from './workspace/workspace.service';
export { WorkspaceEditService, type EditResult, type TextEdit } from './workspace/workspace-edit.service';
export { WorkspaceEntriesService } from './workspace/workspace-entries.service';
export { WorkspaceSearchService } from './workspace/workspace-search.service';
export { type SearchMatch, type SearchResult } from './workspace/search-answers';
export { SKIP_REASONS, type Skip, type Skips } from './workspace/skips';
export { type WorkspaceStat } from './workspace/stat-answer';
export { type Preconditions } from './workspace/file-call';
export { type GivenPath, type WorkspacePath } from './paths/workspace-path';
export { type EntityTags } from './channel/file-requests';
export { WorkspaceArchiveService } from './workspace/workspace-archive.service';
export { WorkspaceViewService, type FileView } from './workspace/workspace-view.service';
export { type UnpackResult, type WorkspaceEntry } from './workspace/workspace-answers';
export { drained } from './bytes/drained';
export { createSandboxRuntime } from './runtime/create-sandbox-runtime';
export { createDockerRuntime } from './runtime/docker/docker-runtime';
export { formatSize, sessionLimits, type SandboxShape, type SessionLimits } from './options/session-options';
export { SANDBOX_RUNTIME, type EnsuredSandbox, type Sandbox, type SandboxRuntime } from './runtime/sandbox-runtime';
export { Sweeper, type SweepReport } from './sweeper/sweeper';
export { SweeperModule } from './sweeper/sweeper.module';
export { SweeperService, type SweepListener } from './sweeper/sweeper.service';
