import { parseProxy } from '@sandbox/egress';
import { readCertificates } from './certificate-file';
import { addressRanges, dnsServers, egressRules } from './egress-values';
import { parseMirrors } from './mirrors';
import { NO_TEMPLATE, readPodTemplate } from './pod-template';
import {
  boolean,
  bytes,
  channelDirectory,
  cpus,
  headerName,
  image,
  images,
  integer,
  list,
  metricsToken,
  oneOf,
  optional,
  previewDomain,
  slug,
  text,
} from './setting-values';

/**
 * One environment variable of the product: its default as a .env file has it, its meaning, and how
 * its text becomes a value. A test compares `.env.example` and docs/settings.md with the table
 * below.
 */
export interface Variable<T> {
  /** The text in .env.example. '' means unset. */
  readonly default: string;
  readonly description: string;
  /**
   * Reads the value.
   * @throws Error that says what is wrong and never repeats the value, because it may be a secret
   */
  readonly parse: (text: string) => T;
}

function variable<T>(defaultText: string, description: string, parse: (text: string) => T): Variable<T> {
  return { default: defaultText, description, parse };
}

/** Every environment variable of the product. */
export const VARIABLES = {
  APP_NAME: variable('sandbox-api', 'Name shown in the API documentation and to MCP clients', text),
  DEPLOYMENT: variable(
    'default',
    'Name space of this deployment’s containers, volumes and store keys; two deployments on one Docker engine need two names',
    slug,
  ),
  DEBUG: variable('false', 'Log at debug level', boolean),
  HOST: variable('127.0.0.1', 'Address the API listens on', text),
  PORT: variable('8000', 'Port the API listens on', integer(0, 65535)),
  DOCKER_HOST: variable('', 'Docker engine, as Docker’s clients read it (`unix://…`, `tcp://…`); empty: the local socket', text),
  CHANNEL_DIRECTORY: variable(
    '',
    'Directory that the API and the engine see under the same path. There the API listens for its sandboxes, so that their bytes do not pass through the engine; empty: they do',
    channelDirectory,
  ),
  DOCKER_TLS_VERIFY: variable('', 'Anything: a `tcp://` engine speaks TLS; empty: it does not', text),
  DOCKER_CERT_PATH: variable('', 'Directory of `ca.pem`, `cert.pem` and `key.pem` for an engine over TLS; empty: `~/.docker`', text),

  API_KEYS: variable('', 'API keys, comma-separated', list),
  API_KEY_HEADER: variable('X-API-Key', 'Header that carries an API key', headerName),
  JWT_SECRET: variable(
    'change-me-in-production',
    'Secret for Bearer JWTs, at least 32 bytes; unset or left at its default: Bearer is off',
    text,
  ),
  JWT_ALGORITHM: variable('HS256', 'The one algorithm accepted: `HS256`, `HS384` or `HS512`', oneOf('HS256', 'HS384', 'HS512')),
  METRICS_TOKEN: variable(
    '',
    'Bearer token, at least 16 characters, with which Prometheus may read `/metrics`; empty: nobody may',
    metricsToken,
  ),
  ALLOWED_ORIGINS: variable(
    '',
    'Web origins that may call `/mcp/` from a browser, comma-separated; requests without an Origin header always may',
    list,
  ),

  PREVIEW_DOMAIN: variable(
    '',
    'Domain of the host names of previews, such as `preview.example.com`, with TLS in front and a wildcard in DNS; empty: `localhost` and the port of the API',
    previewDomain,
  ),

  RATE_LIMIT_REQUESTS: variable('100', 'Requests a user may make in each window, over REST and MCP together', integer(1, 1_000_000_000)),
  RATE_LIMIT_WINDOW_SECONDS: variable('60', 'Length of that window, seconds', integer(1, 86_400)),

  SESSION_STORE: variable(
    'redis',
    '`redis`, or `memory`: one process, nothing to install, the sweeper runs inside it',
    oneOf('redis', 'memory'),
  ),
  REDIS_HOST: variable('localhost', 'Redis host', text),
  REDIS_PORT: variable('6379', 'Redis port', integer(1, 65535)),
  REDIS_DB: variable('0', 'Redis database number', integer(0, 1_000_000)),
  REDIS_PASSWORD: variable('', 'Redis password', text),
  REDIS_TLS: variable('false', 'Connect to Redis over TLS', boolean),
  SESSION_TTL_SECONDS: variable(
    '600',
    'A session idle for so long is removed; every call into it starts the time anew',
    integer(1, 31_536_000),
  ),
  MAX_SESSION_TTL_SECONDS: variable('86400', 'Longest `ttl_seconds` a session may ask for', integer(1, 31_536_000)),
  MAX_SESSIONS: variable('200', 'Sessions on the host, of all users together', integer(1, 1_000_000)),
  MAX_SESSIONS_PER_USER: variable('20', 'Sessions a user may have at a time', integer(1, 1_000_000)),
  MAX_CONCURRENT_COMMANDS_PER_SESSION: variable(
    '32',
    'Commands that may run in a session at a time; an API process has at most 64 calls in one',
    integer(1, 128),
  ),
  MAX_CONCURRENT_COMMANDS_PER_USER: variable(
    '64',
    'Commands that may run at a time in all sessions of a user together',
    integer(1, 1_000_000),
  ),
  POOL_SIZE: variable('4', 'Sandboxes that wait for a new session, so that its first command comes at once; `0`: none', integer(0, 1_000)),
  CREATE_CONCURRENCY: variable('4', 'Sandboxes that an API process makes at a time; who waits is served fairly by user', integer(1, 64)),

  DEFAULT_EXEC_TIMEOUT_SECONDS: variable('30', 'Timeout of a command that names none, seconds', integer(1, 86_400)),
  MAX_EXEC_TIMEOUT_SECONDS: variable('120', 'Longest timeout a command may ask for, seconds', integer(1, 86_400)),
  EXEC_MAX_OUTPUT_BYTES: variable(
    '1048576',
    'Each of stdout and stderr is cut at so many bytes, keeping the beginning and the end',
    integer(1024, 64 * 1024 * 1024),
  ),
  JOB_MAX_SECONDS: variable('3600', 'Longest time a job may run, and its time where it names none, seconds', integer(1, 31_536_000)),
  JOB_MAX_OUTPUT_BYTES: variable(
    '8388608',
    'Output kept of a job, both streams together; past it the oldest is dropped',
    integer(64 * 1024, 256 * 1024 * 1024),
  ),
  MAX_JOBS_PER_SESSION: variable('16', 'Jobs a session may have; the oldest that has ended gives way to a new one', integer(1, 64)),
  MCP_MAX_OUTPUT_CHARS: variable(
    '20000',
    'Most text that an MCP tool answers with, for a model to read, characters; past it the middle is left out, or the end of a list',
    integer(1000, 1_048_576),
  ),
  EXEC_SHELL: variable(
    'auto',
    'Shell of a command that names none: `sh`, `bash`, or `auto`: bash if the command needs it and the image has it, else sh',
    oneOf('auto', 'sh', 'bash'),
  ),
  ALLOWED_COMMANDS: variable('', 'Programs a command may name, comma-separated; empty: the built-in list; `*`: no policy', list),

  SANDBOX_RUNTIME: variable(
    'docker',
    'What runs the sandboxes: `docker`, or `kubernetes`: each is a pod of a cluster',
    oneOf('docker', 'kubernetes'),
  ),
  KUBERNETES_KUBECONFIG: variable(
    '',
    'File that says where the cluster is and who the service is there; empty: the service account of the pod that the service runs in',
    text,
  ),
  KUBERNETES_SERVICE_HOST: variable(
    '',
    'Address of the API server for that account, which Kubernetes sets in its pods; empty: `kubernetes.default.svc`',
    text,
  ),
  KUBERNETES_SERVICE_PORT: variable('443', 'Port of the API server, which Kubernetes sets too', integer(1, 65535)),
  KUBERNETES_NAMESPACE: variable('', 'Namespace of the sandboxes; empty: that of the kubeconfig or of the service account', text),
  KUBERNETES_STORAGE_CLASS: variable('', 'Storage class of workspaces on a disk; empty: the cluster’s default', text),
  KUBERNETES_REQUIRE_ISOLATION: variable(
    'true',
    'Make no sandbox if a pod reaches the cluster’s API server or the metadata address of a cloud',
    boolean,
  ),
  KUBERNETES_POD_TEMPLATE: variable(
    '',
    'File in YAML that says more of the pods: their labels, which nodes they may have and others (docs/scaling.md); empty: nothing',
    (value) => (value === '' ? NO_TEMPLATE : readPodTemplate(value)),
  ),
  CONTAINER_IMAGE: variable('python:3.12-slim', 'Image of the sandboxes; needs `sh` and python3 ≥ 3.8', image),
  ALLOWED_IMAGES: variable('', 'Images that a session may ask for instead of CONTAINER_IMAGE, comma-separated', images),
  CONTAINER_RUNTIME: variable('', 'OCI runtime of the sandboxes, such as `runsc` (gVisor); empty: the engine’s default', text),
  CONTAINER_MEM_LIMIT: variable('256m', 'Memory of a sandbox, its tmpfs files included', bytes(32 * 1024 ** 2)),
  CONTAINER_MEMSWAP_LIMIT: variable(
    '',
    'Memory and swap of a sandbox; must equal CONTAINER_MEM_LIMIT (no swap); empty: the same',
    optional(bytes(0)),
  ),
  CONTAINER_CPU_PERIOD: variable('100000', 'CPU quota period of a sandbox, µs', integer(1_000, 1_000_000)),
  CONTAINER_CPU_QUOTA: variable('50000', 'CPU time a sandbox may use in each period, µs', integer(1_000, 100_000_000)),
  CONTAINER_PIDS_LIMIT: variable('128', 'Processes and threads in a sandbox, the agent’s own few included', integer(16, 1_000_000)),
  MAX_SESSION_MEMORY: variable('', 'Most `memory` a session may ask for; empty: CONTAINER_MEM_LIMIT', optional(bytes(32 * 1024 ** 2))),
  MAX_SESSION_CPUS: variable('', 'Most `cpus` a session may ask for; empty: what every sandbox has', optional(cpus)),
  MAX_SESSION_PIDS: variable('', 'Most `pids` a session may ask for; empty: CONTAINER_PIDS_LIMIT', optional(integer(16, 1_000_000))),
  MAX_SESSION_DISK: variable(
    '',
    'Most `disk` a session may ask for, and the limit of a persistent volume that names none; empty: none may ask, and a volume has 10g',
    optional(bytes(16 * 1024 ** 2)),
  ),
  CONTAINER_TMPFS_TMP_SIZE: variable('64m', 'Size of `/tmp`', bytes(4096)),
  CONTAINER_TMPFS_WORKSPACE_SIZE: variable('128m', 'Size of `/workspace` where it is in memory', bytes(4096)),
  CONTAINER_ULIMIT_NOFILE_SOFT: variable('1024', 'Open files of a process, soft limit', integer(64, 1_048_576)),
  CONTAINER_ULIMIT_NOFILE_HARD: variable('4096', 'Open files of a process, hard limit', integer(64, 1_048_576)),

  EGRESS_ALLOW: variable(
    '',
    'What sandboxes may reach at most: names such as `pypi.org`, `*.example.com` or `git.example.com:22`, the presets `packages` and `git`, or `*`, comma-separated; empty: nothing',
    egressRules,
  ),
  EGRESS_DEFAULT: variable('', 'What a session may reach that asks for nothing, written in the same way', egressRules),
  EGRESS_DNS: variable('', 'DNS servers that resolve the names, comma-separated; empty: those of the API’s machine', dnsServers),
  EGRESS_PRIVATE: variable(
    '',
    'Addresses and ranges, comma-separated, that allowed names may have although they are not public, such as a mirror’s `10.0.0.5` or `10.1.0.0/16`',
    addressRanges,
  ),
  EGRESS_MAX_BYTES: variable('0', 'Bytes, in and out together, that a session may move over its network; `0`: no limit', bytes(0)),
  EGRESS_PROXY: variable(
    '',
    'HTTP proxy through which the API connects, as `http://user:password@host:port`. It then resolves the names, and the check for public addresses is its own',
    optional(parseProxy),
  ),
  EGRESS_MIRRORS: variable(
    '',
    'Registries from which package managers in sandboxes take packages, as `pypi=URL,npm=URL,go=URL,cargo=URL,maven=URL` or some of these. Every session may reach them, unless its own `network` leaves them out',
    parseMirrors,
  ),
  EGRESS_CA_FILE: variable(
    '',
    'File of certificates in PEM that programs in sandboxes trust besides those of their image, read at start; empty: none',
    optional(readCertificates),
  ),

  WORKSPACE_MAX_FILE_SIZE_BYTES: variable(
    '1048576',
    'Most that a write takes, and most of a file that a JSON answer holds, bytes; `0`: no limit (an edit and a JSON body have their own)',
    integer(0, 2 ** 50),
  ),
  ARCHIVE_MAX_BYTES: variable(
    '268435456',
    'Most content that a tar archive may bring in or take out of a workspace, unpacked, bytes',
    integer(1, 2 ** 33 - 1),
  ),
  ARCHIVE_MAX_ENTRIES: variable('100000', 'Most files, directories and links that such an archive may hold', integer(1, 10_000_000)),
  WORKSPACE_PERSIST_VOLUMES: variable('false', 'Keep `/workspace` in a named volume per session until DELETE /sessions/{id}', boolean),
  ALLOW_PERSISTENT_SESSIONS: variable('false', 'Let a session ask for a persistent /workspace, where not all have one', boolean),

  CLEANUP_INTERVAL_SECONDS: variable('60', 'How often the sweeper looks, seconds', integer(1, 86_400)),
  CLEANUP_MAX_CONTAINER_AGE_SECONDS: variable(
    '900',
    'A container of ours that no session has known for so long is removed, seconds',
    integer(1, 31_536_000),
  ),
} as const;

export type VariableName = keyof typeof VARIABLES;
export type Values = { readonly [Name in VariableName]: ReturnType<(typeof VARIABLES)[Name]['parse']> };
