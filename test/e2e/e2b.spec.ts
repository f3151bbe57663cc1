import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { eventually } from '../support/service/processes';
import { E2bSdk } from '../support/service/e2b-sdk';
import { TestDeployment } from '../support/service/deployment';
import { Service } from '../support/service/service';

jest.setTimeout(180_000);

const ALICE = 'e2b_00112233445566778899aabbccddeeff';
const BOB = 'e2b_ffeeddccbbaa99887766554433221100';

/** Versions of the SDK: the oldest that reads E2B_SANDBOX_URL, one between, and the newest. */
const VERSIONS = ['e2b-oldest', 'e2b-between', 'e2b'];

/** Gets the page at a host name, which not every resolver takes for this machine. */
function get(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, headers: { Host: host } }, (response) => text(response).then(resolve, reject))
      .on('error', reject)
      .end();
  });
}

/** Real: E2B's own code in a process of its own, and the built service. */
describe.each(VERSIONS)('E2B’s SDK (%s)', (version) => {
  const deployment = new TestDeployment();
  let service: Service;
  let sdk: E2bSdk;

  beforeAll(async () => {
    service = await Service.start({ deployment, env: { API_KEYS: `${ALICE},${BOB}`, EGRESS_ALLOW: 'packages' } });
    sdk = await E2bSdk.start(version, service.url, ALICE);
    await sdk.run(async ({ Sandbox }, kept) => {
      kept.sandbox = await Sandbox.create({ timeoutMs: 120_000, metadata: { team: 'blue' }, envs: { GREETING: 'hello' } });
    });
  });
  afterAll(async () => {
    await sdk?.stop();
    await service?.stop();
    await deployment.removeAll();
  });

  describe('Sandbox', () => {
    it('creates a session, and tells of it', async () => {
      const { id, info, running } = await sdk.run(async (_sdk, { sandbox }) => ({
        id: sandbox.sandboxId,
        info: await sandbox.getInfo(),
        running: await sandbox.isRunning(),
      }));
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      expect(info).toMatchObject({ sandboxId: id, templateId: 'base', metadata: { team: 'blue' }, state: 'running' });
      expect(running).toBe(true);
      const { body } = await service.client(ALICE).request('GET', `/sessions/${id}`);
      expect(body).toMatchObject({ session_id: id, metadata: { team: 'blue' }, ttl_seconds: 120 });
      expect([new Date(info.startedAt).toISOString(), new Date(info.endAt) > new Date(info.startedAt)]).toEqual([body.created_at, true]);
    });

    it('lists by metadata and by pages', async () => {
      const { ids, others, pages } = await sdk.run(async ({ Sandbox }, { sandbox }) => {
        const more = [await Sandbox.create({ metadata: { page: 'x' } }), await Sandbox.create({ metadata: { page: 'x' } })];
        const found = await Sandbox.list({ query: { metadata: { team: 'blue' } } }).nextItems();
        const none = await Sandbox.list({ query: { metadata: { team: 'red & blue' } } }).nextItems();
        const seen: string[] = [];
        const paginator = Sandbox.list({ query: { metadata: { page: 'x' }, state: ['running'] }, limit: 1 });
        while (paginator.hasNext) seen.push(...(await paginator.nextItems()).map((each) => each.sandboxId));
        const answer = {
          ids: [found.map((each) => each.sandboxId), [sandbox.sandboxId]],
          others: none.length,
          pages: [seen.sort(), more.map((each) => each.sandboxId).sort()],
        };
        for (const each of more) await each.kill();
        return answer;
      });
      expect(ids[0]).toEqual(ids[1]);
      expect(others).toBe(0);
      expect(pages[0]).toEqual(pages[1]);
    });

    it('connects, also to a session that REST made', async () => {
      expect((await service.client(ALICE).run('made-by-rest', 'echo rest > file')).exit_code).toBe(0);
      expect(await sdk.run(async ({ Sandbox }) => (await Sandbox.connect('made-by-rest')).files.read('file'))).toBe('rest\n');
    });

    it('sets the timeout, and kills once', async () => {
      const answer = await sdk.run(async ({ Sandbox }) => {
        const sandbox = await Sandbox.create();
        await sandbox.setTimeout(600_000);
        const { endAt } = await sandbox.getInfo();
        return {
          left: endAt.getTime() - Date.now(),
          killed: [await Sandbox.kill(sandbox.sandboxId), await Sandbox.kill(sandbox.sandboxId)],
          running: await sandbox.isRunning(),
        };
      });
      expect(answer).toEqual({ left: expect.any(Number), killed: [true, false], running: false });
      expect(answer.left).toBeGreaterThan(300_000);
    });

    it('makes nothing anew after a sandbox was killed', async () => {
      const { faults, id } = await sdk.run(async ({ Sandbox }) => {
        const sandbox = await Sandbox.create();
        await sandbox.kill();
        const calls = [
          () => sandbox.commands.run('true'),
          () => sandbox.files.read('a'),
          () => sandbox.files.list('.'),
          () => sandbox.getInfo(),
        ];
        const names: string[] = [];
        for (const call of calls) await call().catch((error: Error) => names.push(error.constructor.name));
        return { faults: names, id: sandbox.sandboxId };
      });
      expect(faults).toHaveLength(4);
      expect((await service.client(ALICE).request('GET', `/sessions/${id}`)).status).toBe(404);
    });

    it('reaches no sandbox of another user', async () => {
      const id = await sdk.run(async (_sdk, { sandbox }) => sandbox.sandboxId);
      const other = await E2bSdk.start(version, service.url, BOB);
      try {
        const seen = await other.run(async ({ Sandbox }, _kept, theirs) => {
          const connect = await Sandbox.connect(theirs).then(
            () => 'connected',
            (error: Error) => error.message,
          );
          return { connect, killed: await Sandbox.kill(theirs), listed: (await Sandbox.list().nextItems()).length };
        }, id);
        expect(seen).toEqual({ connect: expect.stringContaining('not found'), killed: false, listed: 0 });
      } finally {
        await other.stop();
      }
      expect(await sdk.run(async (_sdk, { sandbox }) => sandbox.isRunning())).toBe(true);
    });

    it('takes rules for the network', async () => {
      const id = await sdk.run(async ({ Sandbox }) => {
        const sandbox = await Sandbox.create({ network: { allowOut: ['pypi.org'], denyOut: ['0.0.0.0/0'] } });
        return sandbox.sandboxId;
      });
      const rules = async () => (await service.client(ALICE).request<{ network: object }>('GET', `/sessions/${id}`)).body.network;
      expect(await rules()).toMatchObject({ allow: ['pypi.org'] });
      const updated = await sdk.run(async ({ Sandbox }, _kept, sandboxId) => {
        // The oldest version has no such call.
        if (!('updateNetwork' in Sandbox)) return false;
        await Sandbox.updateNetwork(sandboxId, { allowOut: ['registry.npmjs.org'], denyOut: ['0.0.0.0/0'] });
        return true;
      }, id);
      expect(await rules()).toMatchObject({ allow: [updated ? 'registry.npmjs.org' : 'pypi.org'] });
      const refused = await sdk.fault(async ({ Sandbox }) => Sandbox.create({ network: { allowOut: ['example.com'] } }));
      expect(refused.message).toContain('EGRESS_ALLOW');
    });

    it('tells what a sandbox uses', async () => {
      const metrics = await sdk.run(async ({ Sandbox }, { sandbox }) => {
        await sandbox.files.write('ballast', 'x'.repeat(1_000_000));
        const busy = await sandbox.commands.run('while :; do :; done', { background: true, timeoutMs: 60_000 });
        const own = await sandbox.getMetrics();
        const [found] = await Sandbox.getMetrics(sandbox.sandboxId);
        await busy.kill();
        await sandbox.files.remove('ballast');
        return { count: own.length, ...found! };
      });
      const MIB = 1024 ** 2;
      expect(metrics).toMatchObject({ count: 1, cpuCount: 1, memTotal: 256 * MIB, diskTotal: 128 * MIB });
      expect(metrics.cpuUsedPct).toBeGreaterThan(1);
      expect(metrics.memUsed).toBeGreaterThan(MIB);
      expect(metrics.memUsed).toBeLessThan(metrics.memTotal);
      expect(metrics.diskUsed).toBeGreaterThan(900_000);
      expect(metrics.diskUsed).toBeLessThan(metrics.diskTotal);
      expect(new Date(metrics.timestamp).getTime()).not.toBeNaN();
    });

    it('gives a host name for a port', async () => {
      const host = await sdk.run(async (_sdk, { sandbox }) => {
        await sandbox.files.write('site/index.html', 'from the sandbox');
        await sandbox.commands.run('python3 -m http.server 8123', { cwd: 'site', background: true });
        return sandbox.getHost(8123);
      });
      expect(host).toMatch(new RegExp(`^8123-[0-9a-f]{32}\\.localhost:${service.port}$`));
      let page = '';
      await eventually('the page', async () => {
        page = await get(service.port, host);
        return page === 'from the sandbox';
      });
      expect(await get(service.port, host.replace(/^8123/, '8124'))).toContain('8124');
    });

    it('says what is not supported', async () => {
      const messages = await sdk.run(async ({ Sandbox }, { sandbox }) => {
        const old = sandbox as unknown as Record<string, () => Promise<unknown>>;
        const calls = [() => (old.pause ?? old.betaPause)!.call(sandbox), () => sandbox.commands.run('id', { user: 'root' })];
        const told: string[] = [];
        for (const call of calls)
          told.push(
            await call().then(
              () => 'it worked',
              (error: Error) => error.message,
            ),
          );
        told.push(
          await Sandbox.create('no-such-template').then(
            () => 'it worked',
            (error: Error) => error.message,
          ),
        );
        return told;
      });
      for (const message of messages.slice(0, 2)) expect(message).toContain('not supported by this server');
      expect(messages[2]).toContain('no such template');
    });
  });

  describe('commands', () => {
    it('runs a command with variables, directory and output', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        const seen: string[] = [];
        await sandbox.files.makeDir('sub');
        const options = {
          cwd: 'sub',
          envs: { NAME: 'wörld' },
          user: 'user',
          onStdout: (data: string) => void seen.push(data),
          onStderr: (data: string) => void seen.push(data),
        };
        const result = await sandbox.commands.run('echo "$GREETING $NAME"; sleep 0.3; pwd >&2', options);
        return { result, seen };
      });
      expect(answer.result).toMatchObject({ exitCode: 0, stdout: 'hello wörld\n', stderr: '/workspace/sub\n' });
      expect(answer.seen).toEqual(['hello wörld\n', '/workspace/sub\n']);
    });

    it('runs what only bash has, and pipes', async () => {
      const result = await sdk.run(async (_sdk, { sandbox }) =>
        sandbox.commands.run('a=(1 2 3); echo "${a[1]}" | cat; [[ x == x ]] && echo yes'),
      );
      expect(result.stdout).toBe('2\nyes\n');
    });

    it('throws when a command fails', async () => {
      const fault = await sdk.fault(async (_sdk, { sandbox }) => sandbox.commands.run('echo out; echo err >&2; exit 3'));
      expect(fault).toMatchObject({ type: 'CommandExitError', exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
    });

    it('throws when the time is over, and the command ends', async () => {
      const fault = await sdk.fault(async (_sdk, { sandbox }) => sandbox.commands.run('sleep 77', { timeoutMs: 1_500 }));
      expect(fault.type).toBe('TimeoutError');
      await sdk.run(async (_sdk, { sandbox }) => sandbox.commands.run('while pgrep -f "sleep 7[7]" > /dev/null; do sleep 0.1; done'));
    });

    it('refuses what the policy does', async () => {
      const fault = await sdk.fault(async (_sdk, { sandbox }) => sandbox.commands.run('no-such-program --now'));
      expect(fault.message).toContain('permission_denied');
      expect(fault.message).toContain('no-such-program');
    });

    it('tells of a directory that is not there', async () => {
      const fault = await sdk.fault(async (_sdk, { sandbox }) => sandbox.commands.run('true', { cwd: '/nowhere' }));
      expect(fault.type).toBe('InvalidArgumentError');
    });

    it('runs in the background: list, disconnect, connect, input and end', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        const first = await sandbox.commands.run('cat; echo end; exit 4', { background: true, stdin: true });
        const listed = (await sandbox.commands.list()).filter((each) => each.pid === first.pid);
        await first.disconnect();
        const second = await sandbox.commands.connect(first.pid);
        await sandbox.commands.sendStdin(first.pid, 'a line\n');
        const commands = sandbox.commands as unknown as { closeStdin?: (pid: number) => Promise<void> };
        if (commands.closeStdin === undefined) await sandbox.commands.kill(first.pid);
        else await commands.closeStdin(first.pid);
        const end = await second
          .wait()
          .catch((error: { exitCode: number; stdout: string }) => ({ exitCode: error.exitCode, stdout: error.stdout }));
        return {
          listed: listed.map((each) => each.args.at(-1)),
          end,
          closes: commands.closeStdin !== undefined,
          after: await sandbox.commands.kill(first.pid),
        };
      });
      expect(answer.listed).toEqual(['cat; echo end; exit 4']);
      expect(answer.end).toEqual(answer.closes ? { exitCode: 4, stdout: 'a line\nend\n' } : { exitCode: 137, stdout: expect.any(String) });
      expect(answer.after).toBe(false);
    });

    it('kills a command', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        const handle = await sandbox.commands.run('sleep 1000', { background: true });
        const killed = await handle.kill();
        const exitCode = await handle.wait().then(
          () => 0,
          (error: { exitCode: number }) => error.exitCode,
        );
        return { killed, exitCode, unknown: await sandbox.commands.kill(2) };
      });
      expect(answer).toEqual({ killed: true, exitCode: 137, unknown: false });
    });

    it('streams a megabyte whole', async () => {
      const length = await sdk.run(
        async (_sdk, { sandbox }) => (await sandbox.commands.run('head -c 1000000 /dev/zero | tr "\\0" x')).stdout.length,
      );
      expect(length).toBe(1_000_000);
    });
  });

  describe('pty', () => {
    it('opens a terminal, types, resizes, reconnects and kills', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        let screen = '';
        const onData = (data: Uint8Array): void => void (screen += new TextDecoder().decode(data));
        const until = async (word: string): Promise<void> => {
          while (!screen.includes(word)) await new Promise((resolve) => setTimeout(resolve, 50));
        };
        const handle = await sandbox.pty.create({ cols: 80, rows: 24, onData, timeoutMs: 60_000, envs: { NAME: 'pty' } });
        const type = (line: string): Promise<void> => sandbox.pty.sendInput(handle.pid, new TextEncoder().encode(line));
        await type('echo "<$NAME:$((6 * 7))>"; stty size\n');
        await until('<pty:42>');
        await until('24 80');
        await sandbox.pty.resize(handle.pid, { cols: 101, rows: 33 });
        await type('stty size\n');
        await until('33 101');
        let last = handle;
        // The oldest version cannot come back to a terminal.
        if ('connect' in sandbox.pty) {
          await handle.disconnect();
          screen = '';
          last = await sandbox.pty.connect(handle.pid, { onData });
          await type('echo "again:$((40 + 3))"\n');
          await until('again:43');
        }
        const killed = await sandbox.pty.kill(handle.pid);
        await last.wait().catch(() => undefined);
        return { killed, again: await sandbox.pty.kill(handle.pid) };
      });
      expect(answer).toEqual({ killed: true, again: false });
    });
  });

  describe('files', () => {
    it('writes and reads text, bytes, blobs and streams', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        const bytes = new Uint8Array([0, 255, 128, 10]);
        const info = await sandbox.files.write('dir/text', 'héllo');
        await sandbox.files.write('/home/user/bytes', bytes.buffer);
        await sandbox.files.write('~/blob', new Blob(['blob']));
        await sandbox.files.write('stream', new Blob(['stream']).stream());
        const stream = await sandbox.files.read('dir/text', { format: 'stream' });
        const chunks: string[] = [];
        const decoder = new TextDecoder();
        for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) chunks.push(decoder.decode(chunk, { stream: true }));
        return {
          info: { name: info.name, path: info.path, type: info.type },
          text: await sandbox.files.read('/workspace/dir/text'),
          bytes: [...(await sandbox.files.read('bytes', { format: 'bytes' }))],
          blob: await (await sandbox.files.read('blob', { format: 'blob' })).text(),
          stream: await sandbox.files.read('stream'),
          streamed: chunks.join(''),
          empty: [await sandbox.files.write('empty', ''), await sandbox.files.read('empty')][1],
        };
      });
      expect(answer).toEqual({
        info: { name: 'text', path: '/workspace/dir/text', type: 'file' },
        text: 'héllo',
        bytes: [0, 255, 128, 10],
        blob: 'blob',
        stream: 'stream',
        streamed: 'héllo',
        empty: '',
      });
    });

    it('writes many files', async () => {
      const paths = await sdk.run(async (_sdk, { sandbox }) => {
        const files = [1, 2, 3].map((n) => ({ path: `many/${n} é`, data: `file ${n}` }));
        const written = await sandbox.files.write(files);
        return [written.map((each) => each.path), await sandbox.files.read('many/2 é')];
      });
      expect(paths).toEqual([['/workspace/many/1 é', '/workspace/many/2 é', '/workspace/many/3 é'], 'file 2']);
    });

    it('lists, looks, makes, renames and removes', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        const { files } = sandbox;
        const made = [await files.makeDir('tree/sub'), await files.makeDir('tree/sub')];
        await files.write('tree/sub/a', '12345');
        const renamed = await files.rename('tree/sub/a', 'tree/b');
        const flat = (await files.list('tree')).map((each) => [each.name, each.type, each.path]);
        const deep = (await files.list('tree', { depth: 2 })).map((each) => each.path);
        const info = await files.getInfo('tree/b');
        const existed = await files.exists('tree/b');
        await files.remove('tree');
        return { made, renamed: renamed.path, flat, deep, info, existed, exists: await files.exists('tree/b') };
      });
      expect(answer).toMatchObject({
        made: [true, false],
        renamed: '/workspace/tree/b',
        flat: [
          ['b', 'file', '/workspace/tree/b'],
          ['sub', 'dir', '/workspace/tree/sub'],
        ],
        deep: ['/workspace/tree/b', '/workspace/tree/sub'],
        info: { name: 'b', type: 'file', size: 5, mode: 0o644, permissions: '-rw-r--r--', owner: 'user', group: 'user' },
        existed: true,
        exists: false,
      });
    });

    it('watches a directory', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        const { files } = sandbox;
        const heard: { type: string; name: string; entry?: { size: number; path: string } }[] = [];
        const flat: string[] = [];
        let exits: unknown[] = [];
        const until = async (what: () => boolean): Promise<void> => {
          while (!what()) await new Promise((resolve) => setTimeout(resolve, 20));
        };
        await files.makeDir('watched/sub');
        const options = { recursive: true, timeoutMs: 0, onExit: (error?: Error) => void exits.push(error?.message ?? 'end') };
        const tree = await files.watchDir('/home/user/watched', (event) => void heard.push(event), options);
        await files.watchDir('watched', ({ type, name }) => void flat.push(`${type} ${name}`));
        await files.write('watched/sub/a', '12345');
        await files.rename('watched/sub/a', 'watched/b');
        await sandbox.commands.run('mkdir -p watched/new/deep && echo x > watched/new/deep/file && chmod 600 watched/b && rm watched/b');
        await until(() => heard.some(({ type, name }) => type === 'remove' && name === 'b'));
        await until(() => flat.includes('remove b'));
        await files.remove('watched/sub');
        await until(() => flat.includes('remove sub'));
        const noExit = exits.length;
        await tree.stop();
        await until(() => exits.length > 0);
        exits = [];
        const last = await files.watchDir('watched/new', () => undefined, options);
        await files.remove('watched');
        await until(() => exits.length > 0);
        await last.stop();
        return { heard: heard.map(({ type, name }) => `${type} ${name}`), flat, noExit, exits };
      });
      expect(answer.heard).toEqual(
        expect.arrayContaining([
          'create sub/a',
          'write sub/a',
          'rename sub/a',
          'create b',
          'create new',
          'create new/deep',
          'create new/deep/file',
          'chmod b',
          'remove b',
          'remove sub',
        ]),
      );
      expect(answer.heard.indexOf('rename sub/a')).toBe(answer.heard.indexOf('create b') - 1);
      expect(answer.flat.every((each) => !each.includes('/'))).toBe(true);
      expect([answer.noExit, answer.exits]).toEqual([0, ['end']]);
    });

    it('tells of a watched entry what it is', async () => {
      // Only the newest of the versions asks for it.
      if (version !== 'e2b') return;
      const heard = await sdk.run(async (_sdk, { sandbox }) => {
        const seen: unknown[] = [];
        await sandbox.files.makeDir('described');
        const options = { includeEntry: true, allowNetworkMounts: true };
        const watch = await sandbox.files.watchDir('described', ({ type, name, entry }) => void seen.push({ type, name, entry }), options);
        await sandbox.files.write('described/a', '12345');
        await sandbox.files.remove('described/a');
        while (seen.length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
        await watch.stop();
        return seen as { type: string; entry?: { path: string; size: number } }[];
      });
      expect(heard.map(({ type }) => type)).toEqual(['create', 'write', 'remove']);
      expect(heard[2]).toEqual({ type: 'remove', name: 'a' });
      for (const { entry } of heard.slice(0, 2))
        if (entry !== undefined) expect(entry).toMatchObject({ path: '/workspace/described/a', size: 5 });
    });

    it('tells a watch how it ended: no directory, no file, and its time', async () => {
      const answer = await sdk.run(async (_sdk, { sandbox }) => {
        await sandbox.files.write('a file', '');
        const names: string[] = [];
        for (const path of ['nothing here', 'a file', '/etc']) {
          await sandbox.files.watchDir(path, () => undefined).catch((error: Error) => names.push(error.name));
        }
        const late = new Promise<string>((resolve) => {
          const onExit = (error?: Error): void => resolve(error?.name ?? 'no error');
          sandbox.files.watchDir('.', () => undefined, { timeoutMs: 1_000, onExit }).catch(resolve);
        });
        return { names, late: await late };
      });
      expect(answer).toEqual({
        names: [expect.stringMatching(/NotFoundError$/), 'InvalidArgumentError', 'SandboxError'],
        late: 'TimeoutError',
      });
    });

    it('signs addresses to upload and download', async () => {
      const urls = await sdk.run(async (_sdk, { sandbox }) => ({
        upload: await sandbox.uploadUrl('signed/a b', { useSignatureExpiration: 60_000 }),
        named: await sandbox.uploadUrl(undefined, { useSignatureExpiration: 60_000 }),
        download: await sandbox.downloadUrl('signed/a b'),
        over: await sandbox.downloadUrl('signed/a b', { useSignatureExpiration: -60_000 }),
      }));
      const upload = (url: string): Promise<Response> => {
        const body = new FormData();
        body.append('file', new Blob(['signed content']), 'signed/named');
        return fetch(url, { method: 'POST', body });
      };
      expect((await upload(urls.upload)).status).toBe(200);
      expect((await upload(urls.named)).status).toBe(200);
      expect(await (await fetch(urls.download)).text()).toBe('signed content');
      expect(await sdk.run(async (_sdk, { sandbox }) => sandbox.files.read('signed/named'))).toBe('signed content');
      for (const url of [
        urls.over,
        urls.upload,
        urls.download.replace('a+b', 'named'),
        urls.download.replace('signature=v1_', 'signature=v1_x'),
      ]) {
        expect([url, (await fetch(url)).status]).toEqual([url, 401]);
      }
    });

    it('throws the errors that E2B names', async () => {
      const names = await sdk.run(async (_sdk, { sandbox }) => {
        const calls = [
          () => sandbox.files.read('nothing'),
          () => sandbox.files.getInfo('nothing'),
          () => sandbox.files.rename('nothing', 'x'),
          () => sandbox.files.read('.'),
          () => sandbox.files.list('empty'),
          () => sandbox.files.read('/etc/passwd'),
          () => sandbox.files.write('large', 'x'.repeat(2_000_000)),
        ];
        const faults: [string, boolean][] = [];
        for (const call of calls) {
          await call().then(
            () => faults.push(['none', false]),
            (error: Error) => faults.push([error.name, /not found|no such|there is no/i.test(error.message)]),
          );
        }
        return faults.map(([name]) => name);
      });
      const absent = expect.stringMatching(/NotFoundError$/);
      expect(names).toEqual([absent, absent, absent, 'InvalidArgumentError', 'InvalidArgumentError', 'SandboxError', 'SandboxError']);
    });
  });

  it('does an everyday task: a script written, run, and its result read', async () => {
    const result = await sdk.run(async ({ Sandbox }) => {
      const sandbox = await Sandbox.create({ timeoutMs: 60_000 });
      try {
        await sandbox.files.write(
          '/home/user/task.py',
          'import json, pathlib\npathlib.Path("out.json").write_text(json.dumps(sum(range(10))))\n',
        );
        await sandbox.commands.run('python3 task.py');
        return await sandbox.files.read('out.json');
      } finally {
        await sandbox.kill();
      }
    });
    expect(result).toBe('45');
  });
});
