import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { loadConfig } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import {
  SKIP_REASONS,
  type ExecuteResult,
  type FileView,
  type Job,
  type JobsService,
  type JobState,
  type PortsService,
  type SessionsService,
  type CommandsService,
  type WorkspaceEntry,
  type WorkspaceEntriesService,
  type WorkspaceService,
  type WorkspaceEditService,
  type WorkspaceSearchService,
  type WorkspaceViewService,
} from '@sandbox/orchestrator';
import { closed, metaSchemaFaults, schemaFaults } from '../../../../../test/support/json-schema';
import type { PreviewHosts } from '../../previews/preview-hosts';
import { SandboxTools } from './sandbox-tools';

const JOB_ID = 'a'.repeat(32);
const EXECUTED: ExecuteResult = {
  stdout: 'out\n',
  stderr: 'err\n',
  exit_code: 0,
  execution_time: 0.25,
  container_id: '0123456789ab',
  timed_out: false,
  truncated: false,
  oom_killed: false,
  session_created: false,
  session_restarted: false,
};
const JOB: Job = {
  job_id: JOB_ID,
  command: 'make',
  state: 'running',
  exit_code: null,
  signal: null,
  started_at: '2026-01-01T00:00:00.000Z',
  ended_at: null,
  oom_killed: false,
  stdout_bytes: 3,
  stderr_bytes: 0,
};
const ENDED = { ended_at: '2026-01-01T00:00:01.000Z' };
const JOBS: Record<JobState, Job> = {
  running: JOB,
  exited: { ...JOB, ...ENDED, state: 'exited', exit_code: 0 },
  killed: { ...JOB, ...ENDED, state: 'killed', exit_code: 137, signal: 'SIGKILL', oom_killed: true, memory_limit: 1024 ** 3 },
  timed_out: { ...JOB, ...ENDED, state: 'timed_out', exit_code: 124 },
  lost: { ...JOB, state: 'lost', stdout_bytes: null, stderr_bytes: null },
};

function entry(type: WorkspaceEntry['type']): WorkspaceEntry {
  return { name: type, type, size: 1, modified: '2026-01-01T00:00:00.000Z' };
}

const FILE = { path: 'a', size: 9 } as const;

function textView(head: string, omitted = 0): FileView {
  return { ...FILE, kind: 'text', omitted, text: { encoding: 'utf-8', exact: true, head, tail: omitted === 0 ? '' : head } };
}

/** Whether the call made the session. */
let made = false;

/** Fakes of the services. Each test says what they answer. */
const services = {
  execute: jest.fn<Promise<ExecuteResult>, unknown[]>(),
  startJob: jest.fn(),
  getJob: jest.fn(),
  jobOutput: jest.fn(),
  list: jest.fn(),
  view: jest.fn(),
  search: jest.fn(),
  edit: jest.fn(),
};

const tools = new SandboxTools(
  {
    createSession: async (_user, session_id) => ({
      session_id,
      container_id: '0123456789ab',
      session_created: true,
      session_restarted: false,
    }),
    deleteSession: async (_user, session_id) => ({ status: 'deleted', session_id }),
  } as Pick<SessionsService, 'createSession' | 'deleteSession'> as SessionsService,
  { execute: services.execute } as Pick<CommandsService, 'execute'> as CommandsService,
  {
    startJob: services.startJob,
    getJob: services.getJob,
    readOutput: services.jobOutput,
    writeInput: async () => undefined,
    deleteJob: async () => undefined,
  } as Pick<JobsService, 'startJob' | 'getJob' | 'readOutput' | 'writeInput' | 'deleteJob'> as JobsService,
  {
    writeFile: async (_user, _session, path) => ({ path: String(path), size: 4, created: true, etag: '"1"', session_created: made }),
  } as Pick<WorkspaceService, 'writeFile'> as WorkspaceService,
  {
    listEntries: services.list,
    deleteEntry: async (_user, _session, path) => ({ path: String(path), session_created: made }),
  } as Pick<WorkspaceEntriesService, 'listEntries' | 'deleteEntry'> as WorkspaceEntriesService,
  { searchFiles: services.search } as Pick<WorkspaceSearchService, 'searchFiles'> as WorkspaceSearchService,
  { editFile: services.edit } as Pick<WorkspaceEditService, 'editFile'> as WorkspaceEditService,
  { viewFile: services.view } as Pick<WorkspaceViewService, 'viewFile'> as WorkspaceViewService,
  { exposePort: async () => ({ token: 'token', expiresAt: 0 }) } as Pick<PortsService, 'exposePort'> as PortsService,
  { urlOf: ({ port, token }) => `http://${port}-${token}.localhost/` } as Pick<PreviewHosts, 'urlOf'> as PreviewHosts,
  loadConfig({ API_KEYS: 'test-key', MCP_MAX_OUTPUT_CHARS: '1000' }),
  { capabilities: { pids: true, persistent: true, disk: true, ociRuntime: true, ulimits: true } },
);

/** The required arguments of all tools. Each tool takes those that it knows. */
const ARGUMENTS: Record<string, Record<string, unknown>> = {
  create_session: {},
  delete_session: {},
  execute: { command: 'make' },
  job_output: { job_id: JOB_ID },
  job_input: { job_id: JOB_ID, data: 'y\n' },
  job_stop: { job_id: JOB_ID },
  expose_port: { port: 8000 },
  workspace_list: {},
  workspace_read: { path: 'a' },
  workspace_write: { path: 'a', content: 'text' },
  workspace_edit: { path: 'a', edits: [{ old: 'a', new: 'b' }] },
  workspace_search: {},
  workspace_delete: { path: 'a' },
};

function call(name: string, args: Record<string, unknown> = {}): Promise<CallToolResult> {
  const caller = {
    user: { id: 'jwt:alice' },
    signal: new AbortController().signal,
    requestId: 'id',
    budget: () => ({ limit: 1, left: 1, reset: 1 }),
  };
  return tools.find(name)!.call({ session_id: 's', ...ARGUMENTS[name], ...args }, caller);
}

/** @returns faults of an answer, which has to fit the output schema and to hold nothing more */
function faults(name: string, { structuredContent, isError }: CallToolResult): string[] {
  if (isError) return structuredContent === undefined ? [] : ['an error has no structured content'];
  return schemaFaults(closed(tools.find(name)!.descriptor.outputSchema!), structuredContent);
}

beforeEach(() => {
  made = false;
  services.execute.mockReset().mockResolvedValue(EXECUTED);
  services.startJob.mockReset().mockResolvedValue({ ...JOB, session_created: true, session_restarted: false });
  services.getJob.mockReset().mockResolvedValue(JOB);
  services.jobOutput.mockReset().mockResolvedValue({ data: 'out', next_offset: 3, eof: false, gap: 0 });
  services.list.mockReset().mockResolvedValue({ entries: [entry('file')], truncated: false, skipped: [], session_created: false });
  services.view.mockReset().mockResolvedValue(textView('text'));
  services.search.mockReset().mockResolvedValue({ matches: [{ path: 'a' }], truncated: false, skipped: [] });
  services.edit.mockReset().mockResolvedValue({ diff: '--- a\n', etag: '"1"', truncated: false });
});

describe('the schema of a tool', () => {
  const schemas = tools
    .list()
    .flatMap(({ name, inputSchema, outputSchema }) => [[name, 'input', inputSchema] as const, [name, 'output', outputSchema!] as const]);

  it('is tested when the tool exists', () => {
    expect(Object.keys(ARGUMENTS).sort()).toEqual(
      tools
        .list()
        .map(({ name }) => name)
        .sort(),
    );
  });

  it.each(schemas)('is JSON Schema 2020-12 when ajv reads it in strict mode: %s, %s', (_name, _side, schema) => {
    expect(metaSchemaFaults(schema)).toEqual([]);
  });

  it.each(Object.entries(ARGUMENTS))('takes the arguments when a call needs no others: %s', (name, args) => {
    expect(schemaFaults(tools.find(name)!.descriptor.inputSchema, { session_id: 's', ...args })).toEqual([]);
  });
});

describe('the answer of a tool', () => {
  it.each(Object.keys(ARGUMENTS))('fits its output schema when the tool is %s and nothing special happens', async (name) => {
    const result = await call(name);
    expect(result.isError).toBeFalsy();
    expect(faults(name, result)).toEqual([]);
  });

  it.each<[string, Partial<ExecuteResult>]>([
    ['failed', { exit_code: 127 }],
    ['timed out', { exit_code: 124, timed_out: true }],
    ['was killed for memory', { exit_code: 137, oom_killed: true, memory_limit: 1024 ** 3 }],
    ['was cut', { truncated: true }],
    ['wrote more than a model reads', { stdout: 'x'.repeat(5000), stderr: 'y'.repeat(5000) }],
    ['wrote what is half a character', { stdout: '\u{1f600}'.repeat(900) }],
    ['made its sandbox anew', { session_restarted: true }],
    ['made the session', { session_created: true }],
  ])('fits its output schema when the tool is execute and the command %s', async (_what, result) => {
    services.execute.mockResolvedValue({ ...EXECUTED, ...result });
    expect(faults('execute', await call('execute'))).toEqual([]);
    expect(faults('execute', await call('execute', { encoding: 'base64' }))).toEqual([]);
  });

  it.each([false, true])(
    'fits its output schema when execute runs in the background and session_restarted is %s',
    async (session_restarted) => {
      services.startJob.mockResolvedValue({ ...JOB, session_created: !session_restarted, session_restarted });
      const result = await call('execute', { background: true });
      expect(result.structuredContent).toMatchObject({ job_id: JOB_ID });
      expect(faults('execute', result)).toEqual([]);
    },
  );

  it.each(Object.values(JOBS))('fits its output schema when the tool is one for jobs and the job is $state', async (job) => {
    services.getJob.mockResolvedValue(job);
    services.jobOutput.mockResolvedValue({ data: '', next_offset: 3, eof: job.state !== 'running', gap: 7 });
    for (const name of ['job_output', 'job_input', 'job_stop']) {
      const result = await call(name);
      expect(result.structuredContent).toMatchObject({ exit_code: job.exit_code });
      expect([name, faults(name, result)]).toEqual([name, []]);
    }
  });

  it('fits its output schema when workspace_list is cut or has every type', async () => {
    const entries = (['file', 'dir', 'symlink', 'other'] as const).map(entry);
    for (const truncated of [false, true]) {
      services.list.mockResolvedValue({ entries, truncated, skipped: [] });
      expect(faults('workspace_list', await call('workspace_list'))).toEqual([]);
    }
    services.list.mockResolvedValue({ entries: [], truncated: false, skipped: [] });
    expect(faults('workspace_list', await call('workspace_list'))).toEqual([]);
    const skips = { skipped: [{ path: 'a', reason: 'not_readable' }], skipped_total: 60 };
    services.list.mockResolvedValue({ entries, truncated: false, ...skips });
    const result = await call('workspace_list');
    expect(result.structuredContent).toEqual({ entries, ...skips });
    expect(faults('workspace_list', result)).toEqual([]);
  });

  it.each<[string, FileView]>([
    ['text', textView('text')],
    ['nothing', textView('')],
    ['text that is cut', textView('x'.repeat(5000))],
    ['the two ends of a text', textView('x\n'.repeat(5000), 1_000_000)],
    ['text in another encoding', { ...FILE, kind: 'text', omitted: 0, text: { encoding: 'utf-16le', exact: true, head: 'x', tail: '' } }],
    ['bytes', { ...FILE, kind: 'bytes', bytes: Buffer.from([0, 255]), omitted: 0 }],
    ['the first bytes', { ...FILE, kind: 'bytes', bytes: Buffer.from([0, 255]), omitted: 7 }],
    ['an image', { ...FILE, kind: 'image', mimeType: 'image/png', bytes: Buffer.from([0, 255]) }],
    ['an image that is too large', { ...FILE, size: 2 ** 30, kind: 'binary', mimeType: 'image/png' }],
    ['another binary', { ...FILE, kind: 'binary', mimeType: 'application/zip' }],
  ])('fits its output schema when workspace_read reads %s', async (_what, view) => {
    services.view.mockResolvedValue(view);
    expect(faults('workspace_read', await call('workspace_read'))).toEqual([]);
  });

  it('fits its output schema when workspace_search has lines, has none, or is cut', async () => {
    for (const matches of [[], [{ path: 'a' }], [{ path: 'a', line_number: 1, line: 'text' }]]) {
      for (const truncated of [false, true]) {
        services.search.mockResolvedValue({ matches, truncated, skipped: [] });
        expect(faults('workspace_search', await call('workspace_search'))).toEqual([]);
      }
    }
  });

  it.each([
    ['workspace_list', services.list, { entries: [], truncated: false, skipped: [] }],
    ['workspace_read', services.view, textView('text')],
    ['workspace_read', services.view, { ...FILE, kind: 'image', mimeType: 'image/png', bytes: Buffer.from([0, 255]) }],
    ['workspace_write', undefined, {}],
    ['workspace_edit', services.edit, { diff: '--- a\n', etag: '"1"', truncated: false }],
    ['workspace_search', services.search, { matches: [], truncated: false, skipped: [] }],
    ['workspace_delete', undefined, {}],
  ])('says in its content and its text that the call made the session when %s did', async (name, service, result) => {
    made = true;
    service?.mockResolvedValue({ ...result, session_created: true });
    const answer = await call(name);
    expect(answer.structuredContent).toHaveProperty('session_created', true);
    expect(answer.content.at(-1)).toMatchObject({ text: expect.stringMatching(/"session_created":true|this call made the session/) });
    expect(faults(name, answer)).toEqual([]);
    made = false;
    service?.mockResolvedValue({ ...result, session_created: false });
    expect((await call(name)).structuredContent).not.toHaveProperty('session_created');
  });

  it.each(SKIP_REASONS)('fits its output schema when workspace_search has skipped a file: %s', async (reason) => {
    services.search.mockResolvedValue({ matches: [], truncated: false, skipped: [{ path: 'a', reason }], skipped_total: 70 });
    const result = await call('workspace_search');
    expect(result.structuredContent).toMatchObject({ skipped: [{ path: 'a', reason }], skipped_total: 70 });
    expect(faults('workspace_search', result)).toEqual([]);
  });

  it('counts what workspace_search skipped when a model is not shown all of it', async () => {
    const skipped = Array.from({ length: 50 }, (_, index) => ({ path: 'x'.repeat(100) + index, reason: 'link' as const }));
    services.search.mockResolvedValue({ matches: [], truncated: false, skipped });
    const result = await call('workspace_search');
    expect(result.structuredContent).toMatchObject({ skipped: skipped.slice(0, 7), skipped_total: 50 });
    expect(faults('workspace_search', result)).toEqual([]);
  });

  it('fits its output schema when the diff of workspace_edit is cut', async () => {
    services.edit.mockResolvedValue({ diff: 'x'.repeat(5000), etag: '"1"', truncated: true });
    expect(faults('workspace_edit', await call('workspace_edit'))).toEqual([]);
  });

  it('has no structured content when a tool fails', async () => {
    const failure = new SandboxError(ErrorCode.JOB_LOST, 'It is gone.');
    for (const service of Object.values(services)) service.mockRejectedValue(failure as never);
    for (const name of Object.keys(ARGUMENTS)) expect([name, faults(name, await call(name))]).toEqual([name, []]);
  });
});
