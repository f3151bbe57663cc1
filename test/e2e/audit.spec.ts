import { ALICE, Client, Service, TestDeployment } from './support/service';
import { eventually } from './support/processes';

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

  it('has one line for each command and file call, and no secret', async () => {
    const alice = service.client(ALICE);
    const id = (name: string) => ({ headers: { 'X-Request-Id': name } });
    const long = `echo ${'x'.repeat(300)}; exit 3`;
    await alice.execute('audited', long, { env: { TOKEN: 'secret-env' }, stdin: 'secret-stdin' }, id('id-execute'));
    await alice.execute('audited', 'mount', {}, id('id-refused'));
    const path = alice.workspace('audited', 'dir/file', true);
    await alice.request('PUT', path, { content: 'secret-content' }, id('id-write'));
    await alice.request('GET', path, undefined, id('id-read'));
    await alice.request('DELETE', alice.workspace('audited', 'none'), undefined, id('id-delete'));
    await new Client(service.url, { 'X-API-Key': 'secret-key' }).execute('audited', 'true');
    await new Client(service.url, { Authorization: 'Bearer secret-token' }).request('GET', '/sessions?path=secret-query');

    const audit = await eventually('all calls are logged', async () => {
      const found = lines().filter((line) => line.audit === true);
      return found.length >= 5 && found;
    });
    const owner = {
      user: expect.stringMatching(/^key:[0-9a-f]{64}$/),
      session: 'audited',
      duration_ms: expect.any(Number),
      time: expect.anything(),
    };
    expect(audit).toEqual([
      expect.objectContaining({ ...owner, op: 'execute', command: long.slice(0, 200), exit_code: 3, request_id: 'id-execute' }),
      expect.objectContaining({ ...owner, op: 'execute', command: 'mount', error: 'COMMAND_NOT_ALLOWED', request_id: 'id-refused' }),
      expect.objectContaining({ ...owner, op: 'workspace_write', path: 'dir/file', request_id: 'id-write' }),
      expect.objectContaining({ ...owner, op: 'workspace_read', path: 'dir/file', request_id: 'id-read' }),
      expect.objectContaining({ ...owner, op: 'workspace_delete', path: 'none', error: 'NOT_FOUND', request_id: 'id-delete' }),
    ]);
    expect(service.child.output).not.toContain('secret');
    expect(service.child.output).not.toContain(ALICE);
  });
});
