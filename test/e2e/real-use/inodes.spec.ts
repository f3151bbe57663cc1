import { Tools } from '../../support/service/mcp';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, type Client, Service } from '../../support/service/service';
import { tar, type TarEntry } from '../../support/service/tar';

jest.setTimeout(180_000);

const ENTRIES_FULL = 'There are no file entries left: the workspace has as many files and directories as it can. Delete some.';
const DISK_FULL = 'There is no space left.';
/** Makes empty files until the kernel refuses another. */
const FILL = `python3 -c "
import itertools, os
os.mkdir('empty')
try:
    for n in itertools.count(): os.close(os.open('empty/%d' % n, os.O_CREAT | os.O_WRONLY))
except OSError as error: print(n, error.strerror)"`;
import { itOnHostKernel } from '../../support/engine-under-test';

const deployment = new TestDeployment();
let service: Service;
let rest: Client;

beforeAll(async () => {
  service = await Service.start({ deployment });
  rest = service.client(ALICE);
});

afterAll(async () => {
  await service?.stop();
  await deployment.removeAll();
});

const put = (session: string, path: string, body: Buffer | string, type: string) =>
  rest.request('PUT', `/sessions/${session}/workspace/${path}`, undefined, { body, headers: { 'Content-Type': type } });
const files = (count: number, more: TarEntry[] = []): Buffer =>
  tar([...[...Array(count).keys()].map((n) => ({ name: `d${n % 40}/f${n}`, content: Buffer.from('x') })), ...more]);

it('unpacks a tar when it has 40,000 small files, a quarter of them empty', async () => {
  const empty = [...Array(10_000).keys()].map((n) => ({ name: `e${n % 40}/f${n}` }));
  expect(await put('many', 'archive', files(30_000, empty), 'application/x-tar')).toMatchObject({ status: 200, body: { entries: 40_000 } });
  expect((await rest.run('many', 'find . -type f | wc -l')).stdout.trim()).toBe('40000');
});

itOnHostKernel('says that no file entries are left, keeps the old file whole, and goes on when inodes are used up', async () => {
  await rest.run('full', 'echo old > file');
  expect((await rest.run('full', FILL, { timeout: 60 })).stdout).toMatch(/^100\d{3} No space left on device\n$/);
  const full = { status: 507, body: { code: 'STORAGE_FULL', detail: ENTRIES_FULL } };
  expect(await put('full', 'content?path=new', 'x', 'application/octet-stream')).toMatchObject(full);
  expect(await put('full', 'content?path=file', 'new', 'application/octet-stream')).toMatchObject(full);
  expect(await rest.request('POST', '/sessions/full/workspace/mkdir', { path: 'd' })).toMatchObject(full);
  await rest.run('full', 'rm empty/[0-9] empty/[0-9][0-9]');
  // The call makes some of its files, and removes them before it answers.
  expect(await put('full', 'archive?path=a', files(200), 'application/x-tar')).toMatchObject(full);
  expect((await rest.run('full', 'cat file; ls -A')).stdout).toBe('old\nempty\nfile\n');
  const tools = await Tools.connect(service, ALICE);
  await rest.run('full', 'touch a b; i=0; while touch c$i; do i=$((i+1)); done 2>/dev/null');
  const { content } = await tools.call('workspace_write', { session_id: 'full', path: 'new', content: 'x' });
  expect(content).toEqual([{ type: 'text', text: `STORAGE_FULL: ${ENTRIES_FULL}` }]);
  await tools.close();
  await rest.run('full', 'rm -r empty');
  expect((await put('full', 'content?path=file', 'new', 'application/octet-stream')).status).toBe(204);
  expect((await rest.run('full', 'cat file')).stdout).toBe('new');
});

itOnHostKernel('goes on when /workspace is full of bytes and of files', async () => {
  await rest.run('both', 'echo old > file; head -c 200M /dev/zero > zeros');
  expect((await rest.run('both', FILL, { timeout: 60 })).stdout).toMatch(/No space left on device\n$/);
  expect((await rest.run('both', 'cat file')).stdout).toBe('old\n');
  expect((await rest.request('DELETE', '/sessions/both/workspace?path=empty')).status).toBe(204);
  expect(await put('both', 'content?path=new', 'x'.repeat(9000), 'application/octet-stream')).toMatchObject({
    status: 507,
    body: { code: 'STORAGE_FULL', detail: DISK_FULL },
  });
  expect((await rest.request<{ sessions: unknown }>('GET', '/sessions/both')).status).toBe(200);
});
