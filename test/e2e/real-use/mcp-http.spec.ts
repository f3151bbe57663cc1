import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { Tools } from '../support/mcp';
import { eventually } from '../support/processes';
import { ALICE, type Client, docker, Service, TestDeployment } from '../support/service';

jest.setTimeout(180_000);

const deployment = new TestDeployment();
let service: Service;
let rest: Client;
let tools: Tools;

beforeAll(async () => {
  service = await Service.start({ deployment });
  rest = service.client(ALICE);
  tools = await Tools.connect(service, ALICE);
});

afterAll(async () => {
  await tools?.close();
  await service?.stop();
  await deployment.removeAll();
});

/** `Tools` holds every answer against its schema. These rows bring up the states. */
describe('the answer fits its output schema', () => {
  const session_id = 'schemas';
  const start = async (command: string, more: object = {}): Promise<string> => {
    const { structuredContent } = await tools.call('execute', { session_id, command, background: true, ...more });
    return (structuredContent as { job_id: string }).job_id;
  };
  const output = (job_id: string, more: object = {}): Promise<CallToolResult> =>
    tools.call('job_output', { session_id, job_id, wait_seconds: 20, ...more });

  beforeAll(() => tools.call('create_session', { session_id, metadata: { a: 'b' } }));

  it.each<[string, string, Record<string, unknown>, Record<string, unknown>]>([
    ['a command that fails', 'execute', { command: 'echo no >&2; exit 3' }, { exit_code: 3, stderr: 'no\n' }],
    ['a command out of time', 'execute', { command: 'sleep 9', timeout: 1 }, { exit_code: 124, timed_out: true }],
    ['a command whose output is cut', 'execute', { command: 'seq 1 20000' }, { truncated: true }],
    ['bytes', 'execute', { command: 'printf "\\377"', encoding: 'base64' }, { stdout: '/w==' }],
    ['a file that is written', 'workspace_write', { path: 'a/b', content: 'one\ntwo\n' }, { path: 'a/b', size: 8 }],
    ['a file that is read', 'workspace_read', { path: 'a/b' }, { content: 'one\ntwo\n', encoding: 'utf8' }],
    ['an edit', 'workspace_edit', { path: 'a/b', edits: [{ old: 'one', new: '1' }] }, { etag: expect.any(String) }],
    ['a list', 'workspace_list', {}, { entries: [{ name: 'a' }] }],
    ['a list that is cut', 'workspace_list', { depth: 2, limit: 1 }, { truncated: true }],
    ['a search for lines', 'workspace_search', { pattern: 'two' }, { matches: [{ path: 'a/b', line_number: 2, line: 'two' }] }],
    ['a search for files', 'workspace_search', { glob: 'b' }, { matches: [{ path: 'a/b' }] }],
    ['a deletion', 'workspace_delete', { path: 'a' }, { status: 'deleted', path: 'a' }],
  ])('of %s', async (_what, name, args, answer) => {
    expect((await tools.call(name, { session_id, ...args })).structuredContent).toMatchObject(answer);
  });

  it('of a job that runs, is answered, and ends', async () => {
    const job_id = await start('read x; echo "$x"; exit 5', { open_stdin: true });
    expect((await output(job_id, { wait_seconds: 0 })).structuredContent).toMatchObject({ state: 'running', exit_code: null });
    const answered = await tools.call('job_input', { session_id, job_id, data: 'hello\n', eof: true });
    expect(answered.structuredContent).toMatchObject({ state: expect.stringMatching(/running|exited/) });
    const ended = await eventually('it ends', async () => {
      const { structuredContent } = await output(job_id);
      return structuredContent?.state === 'exited' && structuredContent;
    });
    expect(ended).toMatchObject({ data: 'hello\n', exit_code: 5 });
    expect((await tools.call('job_stop', { session_id, job_id })).structuredContent).toEqual({ state: 'exited', exit_code: 5 });
  });

  it.each([
    ['out of time', 'sleep 99', { timeout: 1 }, { state: 'timed_out', exit_code: 124 }],
    ['killed', 'kill -9 $$', {}, { state: 'killed', exit_code: 137 }],
  ])('of a job %s', async (_what, command, more, answer) => {
    const job_id = await start(command, more);
    const ended = await eventually('it ends', async () => {
      const { structuredContent } = await output(job_id);
      return structuredContent?.state !== 'running' && structuredContent;
    });
    expect(ended).toMatchObject(answer);
    expect((await tools.call('job_stop', { session_id, job_id })).structuredContent).toEqual(answer);
  });

  it('of a running job that is stopped', async () => {
    const job_id = await start('sleep 99');
    expect((await tools.call('job_stop', { session_id, job_id })).structuredContent).toEqual({ state: 'killed', exit_code: null });
  });

  it('of a job that is lost, and of a session made anew', async () => {
    const job_id = await start('sleep 99');
    const { container_id } = await rest.run(session_id, 'true');
    await docker.getContainer(container_id).remove({ force: true });
    const ran = await tools.call('execute', { session_id, command: 'true' });
    expect(ran.structuredContent).toMatchObject({ exit_code: 0, session_restarted: true });
    expect(await output(job_id)).toMatchObject({ isError: true, _meta: { problem: { code: 'JOB_LOST' } } });
    expect((await tools.call('job_stop', { session_id, job_id })).structuredContent).toEqual({ state: 'lost', exit_code: null });
  });

  it('of a session that is deleted', async () => {
    expect((await tools.call('delete_session', { session_id })).structuredContent).toEqual({ status: 'deleted', session_id });
  });
});
