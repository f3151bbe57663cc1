import { E2bSdk } from '../../support/service/e2b-sdk';
import { TestDeployment } from '../../support/service/deployment';
import { Service } from '../../support/service/service';

jest.setTimeout(300_000);

const KEY = 'e2b_00112233445566778899aabbccddeeff';

/** Versions of the SDK that have `git`. */
const VERSIONS = ['e2b-between', 'e2b'];

/** Serves a directory over HTTP to those who know the password, as a host of repositories does. */
const SERVER = `
import base64, functools, http.server
WANTED = 'Basic ' + base64.b64encode(b'ann:s3cr&t/').decode()
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get('Authorization') == WANTED:
            return super().do_GET()
        self.send_response(401)
        self.send_header('WWW-Authenticate', 'Basic realm="repositories"')
        self.send_header('Content-Length', '0')
        self.end_headers()
http.server.ThreadingHTTPServer(('127.0.0.1', 8417), functools.partial(Handler, directory='/home/user/served')).serve_forever()
`;

/**
 * Real: E2B's own code, and git in a sandbox without a network. Paths are as E2B's documentation
 * writes them.
 */
describe('git.* of E2B’s SDK', () => {
  const deployment = new TestDeployment();
  let service: Service;

  beforeAll(async () => {
    service = await Service.start({ deployment, env: { API_KEYS: KEY } });
  });
  afterAll(async () => {
    await service?.stop();
    await deployment.removeAll();
  });

  describe.each(VERSIONS)('%s', (version) => {
    let sdk: E2bSdk;

    beforeAll(async () => {
      sdk = await E2bSdk.start(version, service.url, KEY);
      await sdk.run(async ({ Sandbox }, kept) => {
        kept.sandbox = await Sandbox.create({ timeoutMs: 600_000 });
      });
    });
    afterAll(async () => {
      await sdk?.run(async (_sdk, { sandbox }) => sandbox.kill());
      await sdk?.stop();
    });

    it('makes, clones, changes, pushes and pulls a repository', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        const { git, files, commands } = sandbox;
        const repo = '/home/user/repo';
        await git.init('/home/user/origin.git', { bare: true, initialBranch: 'main' });
        await git.clone('file:///home/user/origin.git', { path: repo });
        await git.configureUser('Ann Example', 'ann@example.com');
        await files.write(`${repo}/a.txt`, 'one\n');
        const untracked = await git.status(repo);
        await git.add(repo);
        const staged = await git.status(repo);
        await git.commit(repo, 'First: it\'s "one"');
        await git.push(repo, { remote: 'origin', branch: 'main', setUpstream: true });
        await git.createBranch(repo, 'feature');
        await files.write(`${repo}/a.txt`, 'two\n');
        await git.add(repo, { files: ['a.txt'] });
        await git.commit(repo, 'Second', { authorName: 'Bob', authorEmail: 'bob@example.com' });
        const branches = await git.branches(repo);
        await git.checkoutBranch(repo, 'main');
        await git.deleteBranch(repo, 'feature', { force: true });

        await git.clone('file:///home/user/origin.git', { path: '/home/user/other', branch: 'main', depth: 1 });
        await files.write('/home/user/other/b.txt', 'from the other\n');
        await git.add('/home/user/other');
        await git.commit('/home/user/other', 'Third');
        await git.push('/home/user/other');
        await git.pull(repo);

        await files.write(`${repo}/a.txt`, 'three\n');
        await git.restore(repo, { paths: ['a.txt'] });
        const restored = await files.read(`${repo}/a.txt`);
        await git.commit(repo, 'Empty', { allowEmpty: true });
        await git.reset(repo, { mode: 'hard', target: 'HEAD~1' });
        await git.remoteAdd(repo, 'second', 'https://example.com/one.git');
        await git.remoteAdd(repo, 'second', 'https://example.com/two.git', { overwrite: true });
        await git.setConfig('pull.rebase', 'false', { scope: 'local', path: repo });
        return {
          untracked: untracked.fileStatus.map(({ name, status }) => [name, status]),
          staged: staged.fileStatus.map((each) => [each.name, each.status, each.staged]),
          branches,
          left: (await git.branches(repo)).branches,
          pulled: await files.read(`${repo}/b.txt`),
          restored,
          log: (await commands.run(`cd ${repo} && git log --format='%an: %s'`)).stdout,
          remotes: [await git.remoteGet(repo, 'second'), await git.remoteGet(repo, 'third')],
          config: [
            await git.getConfig('user.name'),
            await git.getConfig('pull.rebase', { scope: 'local', path: repo }),
            await git.getConfig('no.such'),
          ],
        };
      });
      expect(answer).toEqual({
        untracked: [['a.txt', 'untracked']],
        staged: [['a.txt', 'added', true]],
        branches: { branches: expect.arrayContaining(['main', 'feature']), currentBranch: 'feature' },
        left: ['main'],
        pulled: 'from the other\n',
        restored: 'one\n',
        log: 'Ann Example: Third\nAnn Example: First: it\'s "one"\n',
        remotes: ['https://example.com/two.git', null],
        config: ['Ann Example', 'false', null],
      });
    });

    it('takes credentials for a server, and keeps them only when told to', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }, server) => {
        const { git, files, commands } = sandbox;
        const url = 'http://127.0.0.1:8417/repo.git';
        await commands.run('mkdir -p served && git clone -q --bare repo served/repo.git && git -C served/repo.git update-server-info');
        await files.write('server.py', server);
        await commands.run('python3 server.py', { background: true, timeoutMs: 0 });
        await commands.run('until curl -s http://127.0.0.1:8417/ > /dev/null; do sleep 0.1; done');
        const refused = await git.clone(url, { path: '/home/user/refused' }).catch((error: Error) => error);
        const wrong = await git.clone(url, { path: '/home/user/wrong', username: 'ann', password: 'x' }).catch((error: Error) => error);
        const credentials = { username: 'ann', password: 's3cr&t/' };
        await git.clone(url, { path: '/home/user/clean', ...credentials });
        await git.clone(url, { path: '/home/user/stored', ...credentials, dangerouslyStoreCredentials: true });
        await git.dangerouslyAuthenticate({ ...credentials, host: '127.0.0.1:8417', protocol: 'http' });
        await git.clone(url, { path: '/home/user/helped' });
        return {
          refused: (refused as Error).constructor.name,
          wrong: (wrong as Error).constructor.name,
          clean: await git.remoteGet('/home/user/clean', 'origin'),
          stored: await git.remoteGet('/home/user/stored', 'origin'),
          helped: await files.read('/home/user/helped/a.txt'),
        };
      }, SERVER);
      expect(answer).toEqual({
        refused: 'GitAuthError',
        wrong: 'GitAuthError',
        clean: 'http://127.0.0.1:8417/repo.git',
        stored: 'http://ann:s3cr&t%2F@127.0.0.1:8417/repo.git',
        helped: 'one\n',
      });
    });

    it('says that a branch has no upstream', async () => {
      const fault = await sdk.fault(async (_sdk, { sandbox }) => {
        await sandbox.git.init('/home/user/alone');
        await sandbox.git.commit('/home/user/alone', 'x', { allowEmpty: true });
        return sandbox.git.pull('/home/user/alone');
      });
      expect(fault.type).toBe('GitUpstreamError');
    });
  });
});
