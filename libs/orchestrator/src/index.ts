export { OrchestratorModule } from './orchestrator.module';
export { CommandsService } from './commands/commands.service';
export { PolicyService, type PolicyAnswer } from './commands/policy.service';
export { type ExecuteCommand } from './commands/execute-command';
export { type ExecuteWatcher } from './commands/command-output';
export { SessionsService, type CreatedSession, type OwnedSession, type SessionInfo } from './sessions/sessions.service';
export { type ExecuteExit, type ExecuteResult, type ExecuteStart } from './commands/execute-answer';
export { type LimitReport } from './commands/limit-report';
export { JobsService, MAX_JOB_INPUT_BYTES, MAX_JOB_READ_BYTES, MAX_JOB_WAIT_SECONDS } from './jobs/jobs.service';
export { type Job, type JobCommand, type JobOutput, type OutputQuery, type StartedJob } from './jobs/job';
export { type JobOffsets, type JobWatcher } from './jobs/job-reader';
export { JOB_STATES, type JobState, type JobStream } from './keepers/job-answers';
export { type JobByteWatcher } from './keepers/stream-kept';
export { JOB_SIGNALS, signalNumber } from './jobs/signals';
export {
  TerminalsService,
  type TerminalName,
  type TerminalOptions,
  type TerminalSize,
  type TerminalWatcher,
} from './terminals/terminals.service';
export { PortsService, type ExposedPort, type OpenPort } from './ports/ports.service';
export { type ListeningPort } from './ports/listening-ports';
export { NetworkService } from './network/network.service';
export { type NetworkCheck, type NetworkInfo, type TellConnection, type TellDenial } from './network/network-answers';
export { type NetworkReport } from './outgoing/network-report';
export { OutgoingNetwork, type OutgoingTotals } from './outgoing/outgoing-network';
export { SessionEntrance } from './entering/session-entrance';
export { IdempotencyService, type Outcome } from './idempotency/idempotency.service';
export { WarmPool, type PoolState } from './pool/warm-pool';
export { type Capabilities } from './capabilities/capabilities';
export { CapabilitiesService } from './capabilities/capabilities.service';
export { type SandboxUsage } from './sessions/sandbox-usage';
export { UsageService } from './sessions/usage.service';
export { ImageProbe } from './readiness/image-probe';
export { ReadinessService, type ReadinessChecks } from './readiness/readiness.service';
export { WorkspaceService, type ByteRange, type FilePart, type FileStream, type LineRange } from './workspace/workspace.service';
export { WorkspaceEditService, type EditResult, type TextEdit } from './workspace/workspace-edit.service';
export { WorkspaceEntriesService, type WorkspaceListing } from './workspace/workspace-entries.service';
export { WorkspaceSearchService } from './workspace/workspace-search.service';
export { WorkspaceWatchService, WATCH_ENDS, type WatchEnd, type WatchOptions } from './workspace/workspace-watch.service';
export { type ChangeWatcher } from './workspace/directory-watch';
export { CHANGE_TYPES, LOST_REASONS, type LostChanges, type WorkspaceChange } from './workspace/watch-lines';
export { type SearchMatch, type SearchResult } from './workspace/search-answers';
export { SKIP_REASONS, type Skip, type Skips } from './workspace/skips';
export { type WorkspaceStat } from './workspace/stat-answer';
export { type Preconditions } from './workspace/file-call';
export { type GivenPath, workspaceFile, type WorkspacePath } from './paths/workspace-path';
export { type EntityTags } from './channel/file-requests';
export { WorkspaceArchiveService } from './workspace/workspace-archive.service';
export { WorkspaceViewService, type FileView } from './workspace/workspace-view.service';
export { type UnpackResult, type WorkspaceEntry } from './workspace/workspace-answers';
export { type Transport } from './channel/channel';
export { drained } from './bytes/drained';
export { createSandboxRuntime } from './runtime/create-sandbox-runtime';
export { createDockerRuntime } from './runtime/docker/docker-runtime';
export { createKubernetesRuntime } from './runtime/kubernetes/kubernetes-runtime';
export { type DiskBound, type RuntimeCapabilities } from './options/runtime-capabilities';
export { describeDisk } from './options/describe-disk';
export { describeSurroundings } from './surroundings/describe-surroundings';
export { formatSize, sessionLimits, type SandboxShape, type SessionLimits } from './options/session-options';
export { ruleTexts } from './options/network-rules';
export { SANDBOX_RUNTIME, type EnsuredSandbox, type RuntimeReport, type Sandbox, type SandboxRuntime } from './runtime/sandbox-runtime';
export { Sweeper, type SweepReport } from './sweeper/sweeper';
export { SweeperModule } from './sweeper/sweeper.module';
export { SweeperService, type SweepListener } from './sweeper/sweeper.service';
