export { OrchestratorModule } from './orchestrator.module';
export {
  OrchestratorService,
  type CreatedSession,
  type ExecuteCommand,
  type ExecuteWatcher,
  type SessionInfo,
} from './orchestrator.service';
export { type ExecuteExit, type ExecuteResult, type ExecuteStart } from './execute-answer';
export { JobsService, MAX_JOB_INPUT_BYTES, MAX_JOB_READ_BYTES, MAX_JOB_WAIT_SECONDS } from './jobs/jobs.service';
export { type Job, type JobCommand, type JobOutput, type OutputQuery, type StartedJob } from './jobs/job';
export { type JobOffsets, type JobStream, type JobWatcher } from './jobs/job-reader';
export { JOB_STATES, type JobState } from './jobs/job-answers';
export { JOB_SIGNALS, signalNumber } from './jobs/signals';
export { TerminalsService, type TerminalName, type TerminalSize, type TerminalWatcher } from './terminals/terminals.service';
export { SessionSandboxes } from './session-sandboxes';
export { WarmPool, type PoolState } from './warm-pool';
export { ReadinessService, type ReadinessChecks } from './readiness.service';
export {
  WorkspaceService,
  type ByteRange,
  type FilePart,
  type FileStream,
  type LineRange,
  type WorkspaceListing,
} from './workspace.service';
export { WorkspaceTreeService, type EditResult, type TextEdit } from './workspace-tree.service';
export { SKIP_REASONS, type SearchMatch, type SearchResult, type SearchSkip } from './search-answers';
export { type WorkspaceStat } from './workspace-tree-answers';
export { type Preconditions } from './file-call';
export { type GivenPath, type WorkspacePath } from './workspace-path';
export { firstCharacters, lastCharacters } from './whole-characters';
export { decodeBase64 } from './strict-base64';
export { type EntityTags } from './channel/file-requests';
export { WorkspaceArchiveService } from './workspace-archive.service';
export { WorkspaceViewService, type FileView } from './workspace-view.service';
export { type UnpackResult, type WorkspaceEntry } from './workspace-answers';
export { SHELLS, type WantedShell } from './policy/shell-choice';
export { COMMAND_POLICY, describePolicy, type CommandPolicy } from './policy/command-policy';
export { drained } from './drained';
export { createDockerRuntime } from './docker/docker-runtime';
export { formatSize, sessionLimits, type SandboxShape, type SessionLimits } from './session-options';
export { SANDBOX_RUNTIME, type EnsuredSandbox, type Sandbox, type SandboxRuntime } from './sandbox-runtime';
export { Sweeper, type SweepReport } from './sweeper/sweeper';
export { SweeperModule } from './sweeper/sweeper.module';
export { SweeperService, type SweepListener } from './sweeper/sweeper.service';
