import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { type CallToolResult, CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { Logger } from '@nestjs/common';
import { loadConfig } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type {
  CommandsService,
  ExecuteResult,
  Job,
  JobsService,
  PortsService,
  SessionsService,
  WorkspaceEntriesService,
  WorkspaceService,
  WorkspaceEditService,
  WorkspaceSearchService,
  WorkspaceViewService,
} from '@sandbox/orchestrator';
import type { CapabilitiesDocument } from '../capabilities/capabilities-document';
import type { CapabilitiesDto } from '../capabilities/capabilities.dto';
import { CapabilitiesResource } from './capabilities-resource';
import { McpServerFactory } from './mcp-server.factory';
import type { PreviewHosts } from '../previews/preview-hosts';
import { SandboxTools } from './tools/sandbox-tools';

const CONFIG_UNDER_TEST = loadConfig({
  API_KEYS: 'test-key',
  APP_NAME: 'sandbox-under-test',
  DEFAULT_EXEC_TIMEOUT_SECONDS: '17',
  MAX_EXEC_TIMEOUT_SECONDS: '99',
});
const USER = 'jwt:alice';

const EXECUTED: ExecuteResult = {
  stdout: 'out\n',
  stderr: 'err\n',
  exit_code: 3,
  execution_time: 0.25,
  container_id: '0123456789ab',
  timed_out: false,
  truncated: false,
  oom_killed: false,
  session_created: false,
  session_restarted: false,
};

const calls: unknown[][] = [];
/** The error that the services throw instead of answering. */
let failure: Error | undefined;

async function note<T>(answer: T, ...call: unknown[]): Promise<T> {
  calls.push(call);
  if (failure !== undefined) throw failure;
  return answer;
}

const MADE = { container_id: '0123456789ab', session_created: true, session_restarted: false };

/** Fakes of the services. They note what they are asked. */
const commands: Pick<CommandsService, 'execute'> = {
  execute: (user, command) => note(EXECUTED, 'execute', user.id, { ...command }),
};

const sessions: Pick<SessionsService, 'createSession' | 'deleteSession'> = {
  createSession: (user, session_id) => note({ session_id, ...MADE }, 'createSession', user.id, session_id),
  deleteSession: (user, session_id) => note({ status: 'deleted', session_id }, 'deleteSession', user.id, session_id),
};

const views: Pick<WorkspaceViewService, 'viewFile'> = {
  viewFile: (user, session, path, { lines, asBytes }) =>
    note(
      {
        path: String(path),
        size: 4,
        kind: 'text',
        omitted: 0,
        text: { encoding: 'utf-8', exact: true, head: 'text', tail: '' },
        session_created: false,
      },
      'view',
      user.id,
      session,
      path,
      ...(lines ? [lines] : []),
      ...(asBytes ? ['bytes'] : []),
    ),
};

const workspace: Pick<WorkspaceService, 'writeFile'> = {
  writeFile: (user, session, path, content) =>
    note({ path: String(path), size: 4, created: true, etag: '"1"', session_created: false }, 'write', user.id, session, path, content),
};

const entries: Pick<WorkspaceEntriesService, 'listEntries' | 'deleteEntry'> = {
  listEntries: (user, session, path, _signal, options) =>
    note(
      {
        entries: [{ name: 'a', type: 'file', size: 1, modified: '2026-01-01T00:00:00.000Z' }],
        truncated: options?.limit === 1,
        skipped: [],
        session_created: false,
      },
      'list',
      user.id,
      session,
      path,
      ...(Object.keys(options ?? {}).length > 0 ? [options] : []),
    ),
  deleteEntry: (user, session, path) => note({ path: String(path), session_created: false }, 'delete', user.id, session, path),
};

const JOB: Job = {
  job_id: 'a'.repeat(32),
  command: 'make',
  state: 'running',
  exit_code: null,
  signal: null,
  started_at: '2026-01-01T00:00:00.000Z',
  ended_at: null,
  oom_killed: true,
  memory_limit: 256 * 1024 ** 2,
  stdout_bytes: 3,
  stderr_bytes: 0,
};

const jobs: Pick<JobsService, 'startJob' | 'getJob' | 'readOutput' | 'writeInput' | 'deleteJob'> = {
  startJob: (user, session, command) =>
    note({ ...JOB, session_created: true, session_restarted: false }, 'start', user.id, session, { ...command }),
  getJob: (user, session, job) => note(JOB, 'get', user.id, session, job),
  readOutput: (user, session, job, query) =>
    note({ data: 'out', next_offset: 3, eof: false, gap: 0 }, 'output', user.id, session, job, query),
  writeInput: (user, session, job, input, eof) => note(undefined, 'write', user.id, session, job, input.toString(), eof),
  deleteJob: (user, session, job) => note(undefined, 'deleteJob', user.id, session, job),
};

const MATCHES = [{ path: 'a', line_number: 1, line: 'text' }];

const searches: Pick<WorkspaceSearchService, 'searchFiles'> = {
  searchFiles: (user, session, path, options) =>
    note({ matches: MATCHES, truncated: false, skipped: [], session_created: false }, 'search', user.id, session, path, { ...options }),
};

const editing: Pick<WorkspaceEditService, 'editFile'> = {
  editFile: (user, session, path, edits) =>
    note({ diff: '--- a\n', etag: '"1"', truncated: false, session_created: false }, 'edit', user.id, session, path, edits),
};

const ports: Pick<PortsService, 'exposePort'> = {
  exposePort: (user, session, port, lifetime) => note({ token: 'token', expiresAt: 1000 }, 'expose', user.id, session, port, lifetime),
};
const hosts: Pick<PreviewHosts, 'urlOf'> = { urlOf: ({ port, token }) => `http://${port}-${token}.localhost/` };

const BUDGET = { limit: 100, left: 99, reset: 60 };
const capabilities: Pick<CapabilitiesDocument, 'describeFor'> = {
  describeFor: (user, budget) => note({ images: ['i'] } as CapabilitiesDto, 'capabilities', user.id, budget),
};

describe('tools, as the official client sees them', () => {
  let client: Client;

  beforeAll(async () => {
    const factory = new McpServerFactory(
      CONFIG_UNDER_TEST,
      new SandboxTools(
        sessions as SessionsService,
        commands as CommandsService,
        jobs as JobsService,
        workspace as WorkspaceService,
        entries as WorkspaceEntriesService,
        searches as WorkspaceSearchService,
        editing as WorkspaceEditService,
        views as WorkspaceViewService,
        ports as PortsService,
        hosts as PreviewHosts,
        CONFIG_UNDER_TEST,
        { capabilities: { pids: true, persistent: true, disk: true, ociRuntime: true, ulimits: true } },
      ),
      new CapabilitiesResource(capabilities as CapabilitiesDocument),
    );
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await factory.create({ user: { id: USER }, signal: new AbortController().signal, requestId: 'id', budget: () => BUDGET }).connect(ours);
    client = new Client({ name: 'test', version: '1' });
    await client.connect(theirs);
    // The client checks structured content against the output schemas it has listed.
    await client.listTools();
  });

  afterAll(() => client.close());

  beforeEach(() => {
    calls.length = 0;
    failure = undefined;
  });

  const call = async (name: string, args: Record<string, unknown>): Promise<CallToolResult> =>
    CallToolResultSchema.parse(await client.callTool({ name, arguments: args }));

  const text = (result: CallToolResult): string => result.content.map((block) => (block.type === 'text' ? block.text : '')).join('');

  it('offers one resource, which tells what can be done here', async () => {
    const { resources } = await client.listResources();
    expect(resources.map(({ uri, mimeType }) => [uri, mimeType])).toEqual([['sandbox://capabilities', 'application/json']]);
    expect(await client.readResource({ uri: 'sandbox://capabilities' })).toEqual({
      contents: [{ uri: 'sandbox://capabilities', mimeType: 'application/json', text: '{"images":["i"]}' }],
    });
    expect(calls).toEqual([['capabilities', USER, BUDGET]]);
  });

  it('says why the resource cannot be read when the store is away', async () => {
    failure = new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'The store is away.');
    await expect(client.readResource({ uri: 'sandbox://capabilities' })).rejects.toThrow('STORE_UNAVAILABLE: The store is away.');
  });

  it('names itself, its capabilities and its limits when a client connects', () => {
    expect(client.getServerVersion()).toEqual({ name: 'sandbox-under-test', version: '1' });
    expect(client.getServerCapabilities()).toEqual({ tools: { listChanged: false }, resources: { listChanged: false } });
    expect(client.getInstructions()).toContain('600 seconds');
  });

  /** An absent hint means false, except `openWorldHint`, and except on a tool that only reads. */
  const READS = { readOnlyHint: true };
  const MAKES = { destructiveHint: false, openWorldHint: false };
  const DESTROYS = { openWorldHint: false };
  const ANNOTATIONS: Record<string, object> = {
    create_session: { ...MAKES, idempotentHint: true },
    delete_session: { ...DESTROYS, idempotentHint: true },
    execute: DESTROYS,
    job_output: READS,
    job_input: MAKES,
    job_stop: DESTROYS,
    expose_port: MAKES,
    workspace_list: READS,
    workspace_read: READS,
    workspace_write: { ...DESTROYS, idempotentHint: true },
    workspace_delete: { ...DESTROYS, idempotentHint: true },
    workspace_search: READS,
    workspace_edit: DESTROYS,
  };

  it('describes a tool when it lists it', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([
      'create_session',
      'delete_session',
      'execute',
      'expose_port',
      'job_input',
      'job_output',
      'job_stop',
      'workspace_delete',
      'workspace_edit',
      'workspace_list',
      'workspace_read',
      'workspace_search',
      'workspace_write',
    ]);
    for (const tool of tools) {
      expect(tool).toMatchObject({
        title: expect.any(String),
        description: expect.any(String),
        inputSchema: {
          type: 'object',
          additionalProperties: false,
          properties: { session_id: { type: 'string' } },
        },
        outputSchema: { type: 'object' },
      });
      expect([tool.name, tool.annotations]).toEqual([tool.name, ANNOTATIONS[tool.name]]);
      expect(JSON.stringify(tool)).not.toContain('$ref');
    }
  });

  it('tells a model the limits of a command when it describes execute', async () => {
    const { tools } = await client.listTools();
    const execute = tools.find(({ name }) => name === 'execute')!;
    expect(execute.inputSchema.required).toEqual(expect.arrayContaining(['command', 'session_id']));
    expect(execute.inputSchema.properties).toMatchObject({
      timeout: { type: 'number', minimum: 1, maximum: 3600 },
      shell: { enum: ['auto', 'sh', 'bash'], default: 'auto' },
    });
  });

  it('starts, reads, answers and stops a command when it runs in the background', async () => {
    const background = await call('execute', { session_id: 's', command: 'make', background: true, open_stdin: true, timeout: 900 });
    expect(background.structuredContent).toEqual({ job_id: JOB.job_id, session_created: true, session_restarted: false });
    expect(text(background)).toContain(`job ${JOB.job_id}`);
    const of = { session_id: 's', job_id: JOB.job_id };
    const output = await call('job_output', { ...of, offset: 0, wait_seconds: 2 });
    const state = { state: 'running', exit_code: null, oom_killed: true, memory_limit: 256 * 1024 ** 2 };
    expect(output.structuredContent).toEqual({ data: 'out', next_offset: 3, eof: false, gap: 0, ...state });
    expect(text(output)).toMatch(/^running; next_offset 3\nnote: a process was killed: .*256 MiB.*\n---\nout$/);
    expect((await call('job_input', { ...of, data: 'y\n', eof: true })).structuredContent).toEqual({ state: 'running', exit_code: null });
    expect((await call('job_stop', of)).structuredContent).toEqual({ state: 'killed', exit_code: null });
    expect(calls).toEqual([
      ['start', USER, 's', { command: 'make', open_stdin: true, timeout: 900 }],
      ['output', USER, 's', JOB.job_id, { offset: 0, wait_seconds: 2, limit: 20_000 }],
      ['get', USER, 's', JOB.job_id],
      ['write', USER, 's', JOB.job_id, 'y\n', true],
      ['get', USER, 's', JOB.job_id],
      ['get', USER, 's', JOB.job_id],
      ['deleteJob', USER, 's', JOB.job_id],
    ]);
  });

  it('runs a command when execute is called', async () => {
    const args = {
      command: 'make',
      session_id: 's/1 ☃',
      timeout: 5,
      working_dir: 'a',
      env: { A: 'b' },
      stdin: 'x',
      encoding: 'utf8',
      shell: 'sh',
    };
    const result = await call('execute', args);
    expect(calls).toEqual([['execute', USER, args]]);
    expect(result.structuredContent).toEqual(EXECUTED);
    expect(text(result)).toBe('exit code 3 after 0.25 s\n--- stdout ---\nout\n\n--- stderr ---\nerr\n');
  });

  it.each([
    ['create_session', { session_id: 's' }, ['createSession', USER, 's'], { session_id: 's', ...MADE }],
    ['delete_session', { session_id: 's' }, ['deleteSession', USER, 's'], { status: 'deleted', session_id: 's' }],
    [
      'workspace_list',
      { session_id: 's' },
      ['list', USER, 's', ''],
      { entries: [{ name: 'a', type: 'file', size: 1, modified: '2026-01-01T00:00:00.000Z' }] },
    ],
    ['workspace_read', { session_id: 's', path: 'a' }, ['view', USER, 's', 'a'], { content: 'text', encoding: 'utf8' }],
    [
      'workspace_write',
      { session_id: 's', path: 'a', content: 'text' },
      ['write', USER, 's', 'a', Buffer.from('text')],
      { session_id: 's', path: 'a', size: 4 },
    ],
    [
      'workspace_list',
      { session_id: 's', path: 'd', depth: 3, limit: 1 },
      ['list', USER, 's', 'd', { depth: 3, limit: 1 }],
      { entries: [{ name: 'a', type: 'file', size: 1, modified: '2026-01-01T00:00:00.000Z' }], truncated: true },
    ],
    [
      'workspace_read',
      { session_id: 's', path: 'a', start_line: 2, end_line: 3 },
      ['view', USER, 's', 'a', { firstLine: 2, lastLine: 3 }],
      { content: 'text', encoding: 'utf8' },
    ],
    [
      'workspace_search',
      { session_id: 's', glob: '*.py', pattern: 'te.t' },
      ['search', USER, 's', '', { glob: '*.py', pattern: 'te.t', limit: 200 }],
      { matches: MATCHES, truncated: false, skipped: [] },
    ],
    [
      'expose_port',
      { session_id: 's', port: 8000 },
      ['expose', USER, 's', 8000, 3600],
      { url: 'http://8000-token.localhost/', expires_at: '1970-01-01T00:00:01.000Z' },
    ],
    [
      'expose_port',
      { session_id: 's', port: 1, expires_in: 60 },
      ['expose', USER, 's', 1, 60],
      { url: 'http://1-token.localhost/', expires_at: '1970-01-01T00:00:01.000Z' },
    ],
    ['workspace_delete', { session_id: 's', path: 'a' }, ['delete', USER, 's', 'a'], { status: 'deleted', session_id: 's', path: 'a' }],
  ])('calls the service, and answers its result, when the tool is %s', async (name, args, asked, answer) => {
    const result = await call(name, args);
    expect(calls).toEqual([asked]);
    expect(result.structuredContent).toEqual(answer);
    expect(JSON.parse(text(result))).toEqual(answer);
  });

  it('converts arguments when clients send texts and nulls', async () => {
    const args = { session_id: 5, command: 'make', timeout: '10', env: '{"A":"1"}', stdin: null, toolCallId: 'call_1', chatInput: 'hi' };
    expect((await call('execute', args)).isError).toBeFalsy();
    expect(calls).toEqual([['execute', USER, { session_id: '5', command: 'make', timeout: 10, env: { A: '1' } }]]);
  });

  it('shows a model only the diff when it edits', async () => {
    const edits = [
      { old: 'a', new: 'b' },
      { old: 'c', new: '', all: true },
    ];
    const result = await call('workspace_edit', { session_id: 's', path: 'a', edits });
    expect(calls).toEqual([['edit', USER, 's', 'a', edits]]);
    expect(result.structuredContent).toEqual({ diff: '--- a\n', etag: '"1"' });
    expect(text(result)).toBe('--- a\n');
  });

  it('writes bytes when content is base64', async () => {
    await call('workspace_write', { session_id: 's', path: 'a', content: 'AP8=', encoding: 'base64' });
    expect(calls).toEqual([['write', USER, 's', 'a', Buffer.from([0, 255])]]);
  });

  it('answers a result with the code and detail of REST when a call fails', async () => {
    failure = new SandboxError(ErrorCode.NOT_A_DIRECTORY, 'a is a file.');
    const result = await call('workspace_list', { session_id: 's', path: 'a' });
    expect(result.isError).toBe(true);
    expect(text(result)).toBe('NOT_A_DIRECTORY: a is a file.');
    expect(result._meta).toMatchObject({
      problem: { code: 'NOT_A_DIRECTORY', detail: 'a is a file.', status: 409 },
    });
    // Clients check structured content against the tool's schema, which an error does not have.
    expect(result.structuredContent).toBeUndefined();
  });

  it('logs an unexpected failure and shows nothing of it when a service throws', async () => {
    const log = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    failure = new Error('connect ENOENT /var/run/docker.sock');
    const result = await call('execute', { command: 'true', session_id: 's' });
    expect(result.isError).toBe(true);
    expect(text(result)).toMatch(/^INTERNAL_ERROR: /);
    expect(JSON.stringify(result)).not.toContain('docker');
    expect(log).toHaveBeenCalledWith(expect.objectContaining({ err: failure }));
    log.mockRestore();
  });

  it.each([
    ['execute', { command: 'true', session_id: 's', timeout: 'soon' }, 'timeout'],
    ['execute', { command: 'true', session_id: 's', timeout: 0 }, 'timeout'],
    ['execute', { session_id: 's' }, 'command'],
    ['execute', { command: 'true', session_id: 's', surprise: 1 }, 'surprise'],
    ['create_session', {}, 'session_id'],
    ['workspace_write', { session_id: 's', path: 'a', content: 5.5 }, 'content'],
    ['workspace_write', { session_id: 's', path: 'a', content: '', encoding: 'latin1' }, 'encoding'],
    ['workspace_read', { session_id: 's' }, 'path'],
    ['workspace_read', { session_id: 's', path: 'a', start_line: 'two' }, 'start_line'],
    ['workspace_read', { session_id: 's', path: 'a', start_line: 3, end_line: 2 }, 'end_line'],
    ['workspace_list', { session_id: 's', depth: 'two' }, 'depth'],
    ['workspace_search', { session_id: 's', limit: 0 }, 'limit'],
    ['workspace_search', { session_id: 's', pattern: '' }, 'pattern'],
    ['workspace_edit', { session_id: 's', path: 'a', edits: [{ old: '', new: 'b' }] }, 'edits'],
    ['workspace_delete', { session_id: [5], path: 'a' }, 'session_id'],
  ])('lets a model correct its arguments when they are bad: %s %j', async (name, args, field) => {
    const result = await call(name, args);
    expect(result.isError).toBe(true);
    expect(text(result)).toMatch(new RegExp(`^VALIDATION_FAILED: [^]*${field}`));
    expect(result._meta).toMatchObject({ problem: { status: 422, errors: [{ field }] } });
    expect(calls).toEqual([]);
  });
});
