import { TestDeployment } from '../support/service/deployment';
import { ALICE, Client, Service } from '../support/service/service';
import { eventually } from '../support/service/processes';
import { Terminal } from '../support/service/terminal';

jest.setTimeout(120_000);

describe('The log', () => {
  const deployment = new TestDeployment();
  let service: Service;

  beforeAll(async () => {
    service = await Service.start({ deployment, env: { DEBUG: 'true' } });
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  const lines = (): Record<string, unknown>[] =>
    service.child.output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('has one line, without a secret, when a command or file call is made', async () => {
    const alice = service.client(ALICE);
    const id = (name: string) => ({ headers: { 'X-Request-Id': name } });
    const long = `echo ${'x'.repeat(300)}; exit 3`;
    await alice.execute('audited', long, { env: { TOKEN: 'secret-env' }, stdin: 'secret-stdin' }, id('id-execute'));
    await alice.execute('audited', 'nsenter', {}, id('id-refused'));
    const path = alice.workspace('audited', 'dir/file', true);
    await alice.request('PUT', path, { content: 'secret-content' }, id('id-write'));
    await alice.request('GET', path, undefined, id('id-read'));
    await alice.request('DELETE', alice.workspace('audited', 'none'), undefined, id('id-delete'));
    const job = { command: 'cat; echo secret-output', env: { TOKEN: 'secret-env' }, stdin: 'secret-stdin', open_stdin: true };
    const { body: started } = await alice.request<{ job_id: string }>('POST', '/sessions/audited/jobs', job, id('id-job'));
    const input = { body: 'secret-input', headers: { 'X-Request-Id': 'id-input' } };
    await alice.request('POST', `/sessions/audited/jobs/${started.job_id}/stdin?eof=true`, undefined, input);
    await alice.request('DELETE', `/sessions/audited/jobs/${started.job_id}`, undefined, id('id-end'));
    const edit = { path: 'dir/file', edits: [{ old: 'secret-content', new: 'secret-new' }] };
    await alice.request('POST', '/sessions/audited/workspace/edit', edit, id('id-edit'));
    const headers = { ...alice.headers, 'X-Request-Id': 'id-terminal' };
    const terminal = await Terminal.open(alice, 'audited', '?command=cat', headers);
    terminal.type('secret-typed\n');
    await terminal.shows(/secret-typed/);
    await terminal.close();
    await new Client(service.url, { 'X-API-Key': 'secret-key' }).execute('audited', 'true');
    await new Client(service.url, { Authorization: 'Bearer secret-token' }).request('GET', '/sessions?path=secret-query');

    const audit = await eventually('all calls are logged', async () => {
      const found = lines().filter((line) => line.audit === true);
      return found.length >= 10 && found;
    });
    const owner = {
      user: expect.stringMatching(/^key:[0-9a-f]{64}$/),
      session_id: 'audited',
      duration_ms: expect.any(Number),
      time: expect.anything(),
    };
    expect(audit).toEqual([
      expect.objectContaining({ ...owner, op: 'execute', command: long.slice(0, 200), exit_code: 3, request_id: 'id-execute' }),
      expect.objectContaining({ ...owner, op: 'execute', command: 'nsenter', error: 'COMMAND_NOT_ALLOWED', request_id: 'id-refused' }),
      expect.objectContaining({ ...owner, op: 'workspace_write', path: 'dir/file', request_id: 'id-write' }),
      expect.objectContaining({ ...owner, op: 'workspace_read', path: 'dir/file', request_id: 'id-read' }),
      expect.objectContaining({ ...owner, op: 'workspace_delete', path: 'none', error: 'NOT_FOUND', request_id: 'id-delete' }),
      expect.objectContaining({ ...owner, op: 'job_start', command: job.command, request_id: 'id-job' }),
      expect.objectContaining({ ...owner, op: 'job_input', job: started.job_id, request_id: 'id-input' }),
      expect.objectContaining({ ...owner, op: 'job_delete', job: started.job_id, request_id: 'id-end' }),
      expect.objectContaining({ ...owner, op: 'workspace_edit', path: 'dir/file', request_id: 'id-edit' }),
      expect.objectContaining({ ...owner, op: 'terminal', command: 'cat', request_id: 'id-terminal' }),
    ]);
    expect(service.child.output.replaceAll(job.command, '')).not.toContain('secret');
    expect(service.child.output).not.toContain(ALICE);
  });
});
