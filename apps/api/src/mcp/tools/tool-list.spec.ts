import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { loadConfig } from '@sandbox/config';
import type {
  CommandsService,
  JobsService,
  PortsService,
  SessionsService,
  WorkspaceEntriesService,
  WorkspaceService,
  WorkspaceEditService,
  WorkspaceSearchService,
  WorkspaceViewService,
} from '@sandbox/orchestrator';
import type { PreviewHosts } from '../../previews/preview-hosts';
import { SandboxTools } from './sandbox-tools';

/** Every conversation of every agent pays for these bytes. */
const MAX_BYTES = 13_000;

function list(env: Record<string, string> = {}, { pids = true } = {}): Tool[] {
  const config = loadConfig({ API_KEYS: 'test-key', ...env });
  const [sessions, commands, jobs, workspace, entries, searches, edits, views] = [{}, {}, {}, {}, {}, {}, {}, {}];
  return new SandboxTools(
    sessions as SessionsService,
    commands as CommandsService,
    jobs as JobsService,
    workspace as WorkspaceService,
    entries as WorkspaceEntriesService,
    searches as WorkspaceSearchService,
    edits as WorkspaceEditService,
    views as WorkspaceViewService,
    {} as PortsService,
    {} as PreviewHosts,
    config,
    { capabilities: { pids, persistent: true, disk: true, ociRuntime: true, ulimits: true } },
  ).list();
}

describe('the list of tools', () => {
  it(`has at most ${MAX_BYTES} bytes`, () => {
    expect(Buffer.byteLength(JSON.stringify({ tools: list() }))).toBeLessThanOrEqual(MAX_BYTES);
  });

  /**
   * The facts that a model needs so that its calls do what it expects. The server's instructions do
   * not count, because some clients keep them from their model.
   */
  const FACTS: readonly (readonly [tool: string, fact: string, RegExp])[] = [
    ['create_session', 'what a session is', /sandbox with its own files under \/workspace/],
    ['create_session', 'that it need not be called', /Optional/],
    ['create_session', 'that a session is reused by its name', /keep to one for one piece of work/],
    ['create_session', 'that calling it again is harmless, with other options refused', /Idempotent; options unlike [^.]* refused/],
    ['create_session', 'when a session expires, and what becomes of its files', /After 601 s idle it is removed, with its files/],
    ['create_session', 'the form of memory, and its most', /At most 257m, files included/],
    ['create_session', 'the most of cpus, pids and ttl_seconds', /"cpus":{[^}]*"maximum":0.75[^]*"maximum":129[^]*"maximum":86401/],
    ['create_session', 'the images that it may name', /"image":{"type":"string","enum":\["python:3.12-slim","node:24"\]}/],
    ['delete_session', 'that files go for good', /removes its files for good/],
    ['execute', 'that it waits', /waits for its end/],
    ['execute', 'that each call is a fresh shell', /fresh shell \(bash if the command needs it\)[^.]*cd and export do not/],
    ['execute', 'that files stay', /files stay/],
    ['execute', 'where it starts, and what a relative working_dir means', /in \/workspace[^]*"working_dir":{[^}]*Relative to \/workspace/],
    ['execute', 'that there is no network and no root', /No network, no root/],
    ['execute', 'where it may write', /only \/workspace and \/tmp are writable/],
    ['execute', 'the timeout, its default and its most, in seconds', /timeout \(31 s by default, at most 121\)/],
    ['execute', 'what a timeout does', /killed with all it started: exit_code 124, timed_out, the output so far/],
    ['execute', 'that long output is cut, and what to do', /Output over 20001 characters loses its middle: send long output to a file/],
    ['execute', 'that nobody answers a prompt', /Stdin is empty unless given/],
    [
      'execute',
      'how to run what takes long',
      /background: true answers at once with a job_id[^.]*timeout is then 3601 by default and at most/,
    ],
    ['execute', 'which tools go with it', /job_output[^.]*job_input[^.]*job_stop/],
    ['execute', 'that there is an allow-list', /allow-list are refused \(COMMAND_NOT_ALLOWED\)/],
    ['execute', 'the length of a command', /"command":{[^}]*"maxLength":32000/],
    ['execute', 'the size of env', /32768 bytes/],
    ['execute', 'how to get exact bytes', /base64 is exact/],
    ['job_output', 'where to go on', /go on at next_offset/],
    ['job_output', 'how much comes at once, and is kept', /at most 20001 bytes[^]*last 8388609 bytes are kept/],
    ['job_output', 'how to wait', /Waits up to wait_seconds[^]*"wait_seconds":{[^}]*"maximum":30/],
    ['job_output', 'the states of a job', /running, exited, killed, timed_out, lost/],
    ['job_input', 'that a job has to take input, and how a line ends', /open_stdin: true; end a line with \\\\n/],
    ['job_stop', 'that output is gone after it', /forgets it: read its output first/],
    ['expose_port', 'what the URL is for, and where', /URL for a browser to a server in the session/],
    ['expose_port', 'how to run a server', /background: true/],
    ['expose_port', 'who gets in, and how long', /Whoever has it gets in, for expires_in seconds \(3600\)/],
    ['expose_port', 'the bounds of the time', /"expires_in":{[^}]*"minimum":60,"maximum":86400/],
    ['workspace_list', 'how to see below a directory', /depth over 1 goes into subdirectories/],
    ['workspace_list', 'that a long list is cut', /20001 characters the rest is left out \(truncated\)/],
    ['workspace_read', 'how paths are read', /Relative to \/workspace, or absolute within it/],
    ['workspace_read', 'what comes of an image', /png, jpeg, gif or webp up to 1 MiB as an image/],
    ['workspace_read', 'what comes of other bytes', /other binaries size and type/],
    ['workspace_read', 'how to read bytes', /encoding: base64 answers the first bytes/],
    [
      'workspace_read',
      'that long text is cut, and how to read the rest',
      /20001 characters loses its middle \(truncated\): read it by lines/,
    ],
    ['workspace_read', 'how lines count', /From 1[^]*Included/],
    ['workspace_write', 'that it writes a whole file, with its directories', /whole file in one step, and makes its directories/],
    ['workspace_write', 'how large a file may be, and what to do past it', /At most 1048577 bytes; use execute/],
    ['workspace_delete', 'that a directory goes with all in it', /directory with all in it/],
    ['workspace_search', 'what a pattern is, and what comes without one', /Python regular expression\), or without it files by glob/],
    ['workspace_search', 'the forms of a glob', /\*\.py \(by name\), src\/\*\*\/\*\.{js,ts} \(by path\)/],
    ['workspace_search', 'that it says what it did not look at', /`skipped`: what was not looked at/],
    ['workspace_search', 'that a file may be searched', /Directory or file/],
    ['workspace_search', 'what ends a search, and what to do', /SEARCH_TIMED_OUT\): narrow pattern, glob or path/],
    ['workspace_edit', 'how often a text has to be there', /exactly once, white space included, or with all at least once/],
    ['workspace_edit', 'that edits are made all or none', /in order, all or none/],
    ['workspace_edit', 'what it answers', /unified diff/],
  ];

  const tools = list({
    SESSION_TTL_SECONDS: '601',
    MAX_SESSION_TTL_SECONDS: '86401',
    MAX_SESSION_MEMORY: '257m',
    MAX_SESSION_CPUS: '0.75',
    MAX_SESSION_PIDS: '129',
    ALLOWED_IMAGES: 'node:24',
    DEFAULT_EXEC_TIMEOUT_SECONDS: '31',
    MAX_EXEC_TIMEOUT_SECONDS: '121',
    JOB_MAX_SECONDS: '3601',
    JOB_MAX_OUTPUT_BYTES: '8388609',
    MCP_MAX_OUTPUT_CHARS: '20001',
    WORKSPACE_MAX_FILE_SIZE_BYTES: '1048577',
  });

  it.each(FACTS)('says of %s: %s', (name, _fact, told) => {
    expect(JSON.stringify(tools.find((tool) => tool.name === name))).toMatch(told);
  });

  it('has a description when it names a tool', () => {
    expect([...new Set(FACTS.map(([name]) => name))].sort()).toEqual(tools.map(({ name }) => name).sort());
  });

  it('has only tools that docs/mcp.md names, and all of these', () => {
    const page = readFileSync(join(__dirname, '../../../../../docs/mcp.md'), 'utf8');
    const rows = [...page.matchAll(/^\| (`.*) \|.*\|$/gm)].flatMap(([, names]) => names!.replaceAll('`', '').split(', '));
    expect(rows.sort()).toEqual(tools.map(({ name }) => name).sort());
  });

  it('offers no bound of processes when the runtime has none', () => {
    const argumentsOf = (pids: boolean) => list({}, { pids }).find(({ name }) => name === 'create_session')?.inputSchema.properties;
    expect([argumentsOf(true), argumentsOf(false)].map((properties) => 'pids' in properties!)).toEqual([true, false]);
  });

  it('says that files are kept when they are, and nothing of the policy when it is off', () => {
    const persistent = JSON.stringify(list({ WORKSPACE_PERSIST_VOLUMES: 'true', ALLOWED_COMMANDS: '*' }));
    expect(persistent).toContain('but its files are kept for the next use of its name');
    expect(persistent).not.toContain('allow-list');
  });
});
