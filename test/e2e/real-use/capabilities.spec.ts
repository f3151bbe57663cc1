import { Tools } from '../../support/service/mcp';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, BOB, Service } from '../../support/service/service';
import { eventually } from '../../support/service/processes';
import { TEST_IMAGE } from '../../support/engine-under-test';

jest.setTimeout(120_000);

interface Told {
  image: { name: string; programs: string[] | null; shells: string[] | null };
  policy: { mode: string; allowed: string[] };
  sessions: { max: number; left: number };
  requests: { left: number };
}

describe('What can be done here, as a caller learns it', () => {
  const deployment = new TestDeployment();
  let service: Service;
  beforeAll(async () => {
    service = await Service.start({ deployment, env: { MAX_SESSIONS_PER_USER: '3' } });
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  const told = async (user: string): Promise<Told> => (await service.client(user).request<Told>('GET', '/capabilities')).body;
  /** The first answers may not know the image yet. */
  const probed = (): Promise<Told> =>
    eventually('the image is known', async () => {
      const answer = await told(ALICE);
      return answer.image.programs !== null && answer;
    });

  it('names the programs of the image that a command may name', async () => {
    const { image, policy } = await probed();
    expect(image.name).toBe(TEST_IMAGE);
    expect(image.programs).toEqual(expect.arrayContaining(['cat', 'ls', 'python3', 'sh', 'tar']));
    expect(image.programs!.filter((name) => !policy.allowed.includes(name))).toEqual([]);
    const some = image.programs!.filter((_, index) => index % 10 === 0);
    const { stdout } = await service.client(ALICE).run('s', 'for p in $NAMES; do command -v "$p" >/dev/null || echo "$p"; done', {
      env: { NAMES: some.join(' ') },
    });
    expect(stdout).toBe('');
    const absent = policy.allowed.filter((name) => !image.programs!.includes(name)).slice(0, 50);
    const found = await service.client(ALICE).run('s', 'for p in $NAMES; do if [ -x "/usr/bin/$p" ]; then echo "$p"; fi; done', {
      env: { NAMES: absent.join(' ') },
    });
    expect(found.stdout).toBe('');
    expect(image.shells).toEqual(expect.arrayContaining(['auto', 'sh']));
  });

  it('leaves no sandbox behind that nobody asked for', async () => {
    await probed();
    await service.client(ALICE).deleteSession('s');
    await eventually('the sandbox of the trial is gone', async () => (await deployment.containers()).length === 0);
  });

  it('counts the sessions of each user', async () => {
    await service.client(ALICE).run('one', 'true');
    await service.client(ALICE).run('two', 'true');
    expect((await told(ALICE)).sessions).toMatchObject({ max: 3, left: 1 });
    expect((await told(BOB)).sessions).toMatchObject({ max: 3, left: 3 });
  });

  it('is a resource that the official MCP client reads', async () => {
    const tools = await Tools.connect(service, ALICE);
    try {
      const read = JSON.parse(await tools.resource('sandbox://capabilities')) as Told;
      expect({ ...read, requests: null }).toEqual({ ...(await told(ALICE)), requests: null });
    } finally {
      await tools.close();
    }
  });
});
