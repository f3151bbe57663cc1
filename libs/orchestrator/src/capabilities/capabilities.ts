import type { CommandPolicy, WantedShell } from '@sandbox/command-policy';
import type { Config } from '@sandbox/config';
import { parseRules, PRESETS, uncovered } from '@sandbox/egress';
import { MAX_ANSWER_BYTES, REQUEST_LIFETIME_MS } from '@sandbox/sessions';
import { ruleTexts } from '../options/network-rules';
import type { DiskBound } from '../options/runtime-capabilities';
import {
  formatSize,
  type OptionLimits,
  sandboxShape,
  type SandboxShape,
  sessionLimits,
  type Told,
  toldOf,
} from '../options/session-options';

/** The size of a sandbox. Sizes are as Docker's clients write them. */
export type SandboxSize = Pick<Told<SandboxShape>, 'memory' | 'cpus' | 'pids' | 'disk'>;

/** What a user may do here, and what is left of it. */
export interface Capabilities {
  image: {
    name: string;
    /** The programs on its PATH that a command may name; null: not known yet. */
    programs: string[] | null;
    /** Those that `shell` may name; null: not known yet. */
    shells: string[] | null;
  };
  /** The images that a session may ask for, the default one first. */
  images: string[];
  /** `allowed` is empty if the policy is off: then every program may be named. */
  policy: { mode: CommandPolicy['mode']; allowed: string[] };
  /** Times are in seconds. Output is of each stream. */
  commands: {
    default_timeout: number;
    max_timeout: number;
    max_output_bytes: number;
    default_shell: WantedShell;
    max_per_session: number;
    max_per_user: number;
  };
  jobs: { max_timeout: number; max_output_bytes: number; max_per_session: number };
  /** `max_bytes` is null if there is no limit. */
  files: { max_bytes: number | null; archive_max_bytes: number; archive_max_entries: number };
  sandbox: { default: SandboxSize; max: SandboxSize; tmp: string; workspace_in_memory: string };
  /** Which sessions keep their files without their sandbox, and what keeps a disk in its limit. */
  workspace: { persistent: 'always' | 'on_request' | 'never'; disk_bound: DiskBound | null };
  /** Counts are of the user's own sessions. */
  sessions: { default_ttl_seconds: number; max_ttl_seconds: number; max: number; left: number };
  /** How long an Idempotency-Key is remembered, also over a restart of the API or not. */
  idempotency: { keep_seconds: number; outlives_restart: boolean; max_answer_bytes: number };
  network: NetworkOffer;
}

/** Rules as sessions write them. `mirrors` has the ecosystems with a mirror of the operator's. */
interface NetworkOffer {
  allow: string[];
  default: string[];
  presets: string[];
  mirrors: string[];
  max_bytes: number | null;
  /** Why no sandbox can have a network, whatever the operator offers; null: they can. */
  refusal: string | null;
}

/** The part of the capabilities that the settings decide. */
type Settings = Omit<Capabilities, 'image' | 'workspace' | 'sessions'> & {
  workspace: Omit<Capabilities['workspace'], 'disk_bound'>;
  sessions: Omit<Capabilities['sessions'], 'left'>;
};

/** Reads from the settings, and from what the runtime lacks, what holds for all users. */
export function settingsOf({ config, policy, capabilities, networkRefusal }: OptionLimits): Settings {
  const most = toldOf(sessionLimits(config), capabilities);
  return {
    images: most.images,
    policy: { mode: policy.mode, allowed: [...policy.allowed] },
    commands: {
      default_timeout: config.DEFAULT_EXEC_TIMEOUT_SECONDS,
      max_timeout: config.MAX_EXEC_TIMEOUT_SECONDS,
      max_output_bytes: config.EXEC_MAX_OUTPUT_BYTES,
      default_shell: config.EXEC_SHELL,
      max_per_session: config.MAX_CONCURRENT_COMMANDS_PER_SESSION,
      max_per_user: config.MAX_CONCURRENT_COMMANDS_PER_USER,
    },
    jobs: {
      max_timeout: config.JOB_MAX_SECONDS,
      max_output_bytes: config.JOB_MAX_OUTPUT_BYTES,
      max_per_session: config.MAX_JOBS_PER_SESSION,
    },
    files: {
      max_bytes: config.WORKSPACE_MAX_FILE_SIZE_BYTES || null,
      archive_max_bytes: config.ARCHIVE_MAX_BYTES,
      archive_max_entries: config.ARCHIVE_MAX_ENTRIES,
    },
    sandbox: {
      default: sizeOf(toldOf(sandboxShape(config, {}), capabilities)),
      max: sizeOf({ ...most, memory: formatSize(most.memory), disk: most.disk === null ? null : formatSize(most.disk) }),
      tmp: formatSize(config.CONTAINER_TMPFS_TMP_SIZE),
      workspace_in_memory: formatSize(config.CONTAINER_TMPFS_WORKSPACE_SIZE),
    },
    workspace: { persistent: persistence(config) },
    sessions: {
      default_ttl_seconds: config.SESSION_TTL_SECONDS,
      max_ttl_seconds: most.ttl_seconds,
      max: config.MAX_SESSIONS_PER_USER,
    },
    idempotency: {
      keep_seconds: REQUEST_LIFETIME_MS / 1000,
      outlives_restart: config.SESSION_STORE === 'redis',
      max_answer_bytes: MAX_ANSWER_BYTES,
    },
    network: networkOffer(config, networkRefusal),
  };
}

function networkOffer(config: Config, refusal: string | null): NetworkOffer {
  const max_bytes = config.EGRESS_MAX_BYTES || null;
  if (refusal !== null) return { allow: [], default: [], presets: [], mirrors: [], max_bytes, refusal };
  return {
    allow: ruleTexts(config.EGRESS_ALLOW),
    default: ruleTexts(config.EGRESS_DEFAULT),
    presets: Object.keys(PRESETS).filter((preset) => uncovered(parseRules([preset]), config.EGRESS_ALLOW).length === 0),
    mirrors: Object.keys(config.EGRESS_MIRRORS.urls),
    max_bytes,
    refusal,
  };
}

function sizeOf({ memory, cpus, pids, disk }: SandboxSize): SandboxSize {
  return { memory, cpus, pids, disk };
}

function persistence(config: Config): Capabilities['workspace']['persistent'] {
  if (config.WORKSPACE_PERSIST_VOLUMES) return 'always';
  return config.ALLOW_PERSISTENT_SESSIONS ? 'on_request' : 'never';
}
