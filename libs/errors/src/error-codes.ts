/**
 * Every error that a caller can get. The name is the stable code, the same over REST and MCP. The
 * `title` is that of the problem document (RFC 9457): short and constant. Its `detail` says what is
 * special about the case.
 */
export const ERRORS = {
  BAD_REQUEST: { status: 400, title: 'Bad request' },
  /** A tar archive is malformed, or holds something that is never unpacked. */
  ARCHIVE_REFUSED: { status: 400, title: 'Archive refused' },
  INVALID_PATH: { status: 400, title: 'Invalid path' },
  INVALID_PATTERN: { status: 400, title: 'Invalid pattern' },
  INVALID_WORKING_DIR: { status: 400, title: 'Working directory does not exist' },
  SHELL_NOT_AVAILABLE: { status: 400, title: 'Shell not available in this image' },
  COMMAND_NOT_ALLOWED: { status: 400, title: 'Command not allowed' },
  UNAUTHORIZED: { status: 401, title: 'Authentication required' },
  PATH_OUTSIDE_WORKSPACE: { status: 403, title: 'Path leads outside the workspace' },
  PERMISSION_DENIED: { status: 403, title: 'Permission denied' },
  ORIGIN_NOT_ALLOWED: { status: 403, title: 'Origin not allowed' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  SESSION_NOT_FOUND: { status: 404, title: 'Session not found' },
  JOB_NOT_FOUND: { status: 404, title: 'Job not found' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  NOT_ACCEPTABLE: { status: 406, title: 'Not acceptable' },
  REQUEST_TIMEOUT: { status: 408, title: 'Request timeout' },
  NOT_A_DIRECTORY: { status: 409, title: 'Not a directory' },
  IS_A_DIRECTORY: { status: 409, title: 'Is a directory' },
  NOT_A_REGULAR_FILE: { status: 409, title: 'Not a regular file' },
  ALREADY_EXISTS: { status: 409, title: 'Already exists' },
  EDIT_NOT_APPLICABLE: { status: 409, title: 'Edit not applicable' },
  SESSION_DELETED: { status: 409, title: 'Session was deleted during the call' },
  /** The session exists with other options than the caller asks for. */
  SESSION_OPTIONS_DIFFER: { status: 409, title: 'Session has other options' },
  JOB_ENDED: { status: 409, title: 'Job has ended' },
  /** The job's sandbox ended, and the job's output with it. */
  JOB_LOST: { status: 410, title: 'Job was lost with its sandbox' },
  JOB_STDIN_CLOSED: { status: 409, title: 'Job takes no input' },
  /** The job has not read its earlier input yet. */
  JOB_STDIN_FULL: { status: 409, title: 'Job has not read its input yet' },
  IDEMPOTENCY_RUNNING: { status: 409, title: 'Request with this key is running' },
  /** The API was interrupted while it carried the request out. */
  IDEMPOTENCY_UNKNOWN: { status: 409, title: 'Request with this key may have run' },
  IDEMPOTENCY_ANSWER_NOT_KEPT: { status: 409, title: 'Answer to this key is not kept' },
  PRECONDITION_FAILED: { status: 412, title: 'Precondition failed' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'Request body too large' },
  FILE_TOO_LARGE: { status: 413, title: 'File too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'Unsupported media type' },
  RANGE_NOT_SATISFIABLE: { status: 416, title: 'Range not satisfiable' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'Key belongs to another request' },
  VALIDATION_FAILED: { status: 422, title: 'Validation failed' },
  SEARCH_TIMED_OUT: { status: 422, title: 'Search took too long' },
  WORKSPACE_LOCKED: { status: 423, title: 'Workspace locked by a command' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  TOO_MANY_COMMANDS: { status: 429, title: 'Too many commands at once' },
  TOO_MANY_IDEMPOTENCY_KEYS: { status: 429, title: 'Too many keys' },
  TOO_MANY_JOBS: { status: 429, title: 'Too many running jobs in this session' },
  TOO_MANY_CONNECTIONS: { status: 429, title: 'Too many connections at once' },
  TOO_MANY_SESSIONS: { status: 429, title: 'Too many sessions' },
  /** No client reads this answer. The log line has it, with the status that nginx uses. */
  CLIENT_CLOSED_REQUEST: { status: 499, title: 'Client closed the request' },
  INTERNAL_ERROR: { status: 500, title: 'Internal error' },
  /** Only below /e2b: the protocol has it, and this server does not. */
  NOT_SUPPORTED: { status: 501, title: 'Not supported by this server' },
  /**
   * The sandbox or its agent ended after the call was sent and before it answered. It is unknown
   * whether the call was carried out.
   */
  SANDBOX_LOST: { status: 502, title: 'Sandbox ended during the call' },
  /** Nothing listens on the port, or what listens there does not speak HTTP. */
  PORT_UNREACHABLE: { status: 502, title: 'Port does not answer' },
  /** The sandbox exists but does not answer. */
  SANDBOX_UNRESPONSIVE: { status: 503, title: 'Sandbox does not answer' },
  /** CONTAINER_IMAGE is absent or lacks sh or python3 >= 3.8. */
  SANDBOX_IMAGE_UNUSABLE: { status: 503, title: 'Sandbox image unusable' },
  /** A memory or process limit stopped the sandbox from doing what the caller asked for. */
  SANDBOX_EXHAUSTED: { status: 503, title: 'Sandbox out of memory or processes' },
  /** The host is at MAX_SESSIONS, or a queue (sandbox creation, command start) is full. */
  HOST_FULL: { status: 503, title: 'Host is full' },
  /** The cluster has no volume for the session's workspace, or has not made it in time. */
  DISK_UNAVAILABLE: { status: 503, title: 'No disk for the workspace' },
  RUNTIME_UNAVAILABLE: { status: 503, title: 'Container engine unavailable' },
  STORE_UNAVAILABLE: { status: 503, title: 'Session store unavailable' },
  /** Only of GET /ready: something that commands need is missing. */
  NOT_READY: { status: 503, title: 'Not ready' },
  STORAGE_FULL: { status: 507, title: 'Workspace is full' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** The codes by name, so that code does not repeat them as texts. */
export const ErrorCode = Object.fromEntries(Object.keys(ERRORS).map((code) => [code, code])) as { readonly [Code in ErrorCode]: Code };
