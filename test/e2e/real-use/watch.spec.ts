import { setTimeout as sleep } from 'node:timers/promises';
import { Events, type ServerEvent } from '../../support/service/events';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, BOB, type Client, Service } from '../../support/service/service';

jest.setTimeout(300_000);

type Query = Record<string, string>;

describe('The service, for those who watch a directory,', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let rest: Client;
  const opened: Events[] = [];

  beforeAll(async () => {
    service = await Service.start({ deployment });
    rest = service.client(ALICE);
  });
  afterEach(() => {
    for (const events of opened.splice(0)) events.close();
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  /** Opens a watch, and resolves when all is watched. */
  async function watch(session: string, query: Query = {}, client = rest): Promise<Events> {
    const events = await Events.open(client, 'GET', `/sessions/${session}/workspace/watch?${new URLSearchParams(query).toString()}`);
    opened.push(events);
    expect([events.status, await events.next()]).toEqual([200, { event: 'ready', data: {} }]);
    return events;
  }

  /** Reads up to a change at a path, which is left out. */
  async function until(events: Events, path: string): Promise<string[]> {
    const told: string[] = [];
    for (;;) {
      const event = await events.next();
      if (event === null) throw new Error(`the answer has ended: ${told.join(', ')}`);
      if (event.data.path === path) return told;
      told.push(short(event));
    }
  }

  const run = async (session: string, command: string): Promise<void> => {
    expect(await rest.run(session, command)).toMatchObject({ exit_code: 0, stderr: '' });
  };
  const call = async (method: string, path: string, body?: unknown): Promise<void> => {
    expect((await rest.request(method, `/sessions/calls/workspace${path}`, body)).status).toBeLessThan(300);
  };

  /** Makes files until one is told. Each that is not told has to be said to be lost. */
  async function untilNoticed(events: Events, session: string, directory: string): Promise<void> {
    for (let count = 0; ; count++) {
      await run(session, `touch ${directory}later${count}`);
      for (;;) {
        const event = await events.next();
        if (event === null) throw new Error('the answer has ended');
        if (event.data.path === `${directory}later${count}`) return;
        if (event.data.reason === 'overflow') break;
      }
    }
  }

  const COMMANDS: [command: string, told: string[]][] = [
    ['echo 1 > f', ['create f', 'modify f']],
    ['echo 2 >> f; chmod 755 f', ['modify f', 'chmod f']],
    ['mv f g', ['rename f -> g']],
    ['mkdir d', ['create d/']],
    ['mv g d/', ['rename g -> d/g']],
    ['mkdir -p a/b/c && touch a/b/c/f', ['create a/', 'create a/b/', 'create a/b/c/', 'create a/b/c/f']],
    ['mv a/b d/', ['rename a/b -> d/b/']],
    ['echo 1 > d/b/c/f', ['modify d/b/c/f']],
    ['ln -s /etc out && ls out/ > /dev/null && touch out/x 2> /dev/null || true', ['create out']],
    ['rm -r d/b', ['remove d/b/c/f', 'remove d/b/c/', 'remove d/b/']],
    ['mkdir /tmp/away && touch /tmp/away/f && mv /tmp/away . && rm -r away', ['create away/', 'remove away/']],
  ];

  it('tells them what commands do, on all levels', async () => {
    await run('commands', 'true');
    const events = await watch('commands', { recursive: 'true' });
    for (const [index, [command, expected]] of COMMANDS.entries()) {
      await run('commands', `${command}; : > end${index}`);
      // The events of `end` itself may come in any number.
      const told = (await until(events, `end${index}`)).filter((each) => !each.includes(' end'));
      const unexpected = told.filter((each) => !expected.includes(each) && !/^(create|modify|remove|chmod) (away|a\/b)/.test(each));
      expect([command, expected.filter((each) => !told.includes(each)), unexpected]).toEqual([command, [], []]);
    }
  });

  it('tells them what the other file calls do', async () => {
    const events = await watch('calls', { path: '/workspace', recursive: 'true' });
    await call('PUT', '/content?path=src/a.txt', { content: 'one\n' });
    await call('PUT', '/content?path=src/a.txt', { content: 'two\n' });
    await call('POST', '/edit', { path: 'src/a.txt', edits: [{ old: 'two', new: 'three' }] });
    await call('POST', '/move', { from: 'src/a.txt', to: 'b.txt' });
    await call('DELETE', '?path=b.txt');
    await call('POST', '/mkdir', { path: 'end' });
    const told = await until(events, 'end');
    const sure = ['create src/', 'create src/a.txt', 'rename src/a.txt -> b.txt', 'remove b.txt'];
    expect(told.filter((each) => !each.startsWith('modify'))).toEqual(sure);
    expect(told).toContain('modify src/a.txt');
    expect(told.every((each) => sure.includes(each) || each === 'modify src/a.txt')).toBe(true);
  });

  it('tells them of a directory and of its entries alone when it is not recursive', async () => {
    await run('flat', 'mkdir -p d/e');
    const events = await watch('flat', { path: 'd' });
    await run('flat', `touch d/e/f; python3 -c 'open(b"d/caf\\xe9", "w")'; touch d/end`);
    const event = await events.next();
    expect(event).toEqual({ event: 'change', data: { type: 'create', path: 'caf\ufffd', path_base64: 'Y2Fm6Q==', is_dir: false } });
    expect(await until(events, 'end')).toEqual([]);
  });

  const REFUSED: [query: Query, status: number, code: string][] = [
    [{ path: 'none' }, 404, 'NOT_FOUND'],
    [{ path: 'file' }, 409, 'NOT_A_DIRECTORY'],
    [{ path: 'outside' }, 403, 'PATH_OUTSIDE_WORKSPACE'],
    [{ path: '/etc' }, 403, 'PATH_OUTSIDE_WORKSPACE'],
    [{ path: '..' }, 400, 'INVALID_PATH'],
    [{ path: 'closed' }, 403, 'PERMISSION_DENIED'],
    [{ path: '', recursive: '1' }, 422, 'VALIDATION_FAILED'],
  ];

  it('refuses what they cannot watch', async () => {
    await run('refused', 'touch file; ln -s /etc outside; mkdir closed; chmod 0 closed');
    for (const [query, status, code] of REFUSED) {
      const answer = await rest.request('GET', `/sessions/refused/workspace/watch?${new URLSearchParams(query).toString()}`);
      expect([query, answer.status, answer.body]).toEqual([query, status, expect.objectContaining({ code })]);
    }
  });

  it('keeps 16 watches for a session, and makes room when a client goes away', async () => {
    const watches: Events[] = [];
    for (let count = 0; count < 16; count++) watches.push(await watch('many'));
    const more = await rest.request('GET', '/sessions/many/workspace/watch');
    expect([more.status, more.body]).toEqual([429, expect.objectContaining({ code: 'TOO_MANY_CONNECTIONS' })]);
    watches[0]!.close();
    for (;;) {
      const events = await Events.open(rest, 'GET', '/sessions/many/workspace/watch');
      opened.push(events);
      if (events.status === 200) break;
      await sleep(50);
    }
  });

  it('tells nobody of another user’s session of the same name', async () => {
    const events = await watch('same', {}, service.client(BOB));
    await run('same', 'touch alice');
    expect(await service.client(BOB).run('same', 'touch end')).toMatchObject({ exit_code: 0 });
    expect(await until(events, 'end')).toEqual([]);
  });

  it('ends when the directory is removed, and when the session is deleted', async () => {
    await run('ends', 'mkdir d');
    const directory = await watch('ends', { path: 'd' });
    const root = await watch('ends');
    await run('ends', 'rmdir d');
    expect(await directory.all()).toEqual([{ event: 'end', data: { reason: 'directory_gone' } }]);
    expect((await rest.deleteSession('ends')).status).toBe(200);
    expect((await root.all()).at(-1)).toMatchObject({ event: 'error', data: { code: 'SESSION_DELETED' } });
  });

  it('tells of each of 10,000 files that come at once, or says that it does not', async () => {
    const events = await watch('burst', { recursive: 'true' });
    const make = 'import os\nfor d in range(100):\n os.makedirs(f"tree/{d}")\n for f in range(100):\n  open(f"tree/{d}/{f}", "w").close()';
    expect(await rest.run('burst', 'python3 -', { stdin: make })).toMatchObject({ exit_code: 0 });
    // What is in a new directory is told when the agent has looked into it, which may be after the
    // next event. If a file is neither told nor said to be lost, this waits until the test's end.
    const files = new Set<string>();
    for (let lost = false; files.size < 10_000 && !lost;) {
      const event = await events.next();
      if (event === null) throw new Error('the answer has ended');
      const told = short(event);
      if (told.startsWith('create tree/') && !told.endsWith('/')) files.add(told);
      lost = told === 'lost overflow';
    }
    await untilNoticed(events, 'burst', 'tree/99/');
  });

  it('says that changes were lost when the client does not read', async () => {
    const events = await watch('slow');
    // Two files change their names so often that no buffer on the way holds it.
    const rename =
      'import os\na, b = "a" * 200, "b" * 200\nopen(a, "w").close()\nfor _ in range(40_000):\n os.rename(a, b)\n a, b = b, a\n';
    expect(await rest.run('slow', 'python3 -', { stdin: rename })).toMatchObject({ exit_code: 0 });
    for (let event = await events.next(); event?.data.reason !== 'overflow'; event = await events.next()) expect(event).not.toBeNull();
    await untilNoticed(events, 'slow', '');
  });

  it('ends at once when the service is to stop', async () => {
    const events = await watch('stops');
    const stopped = service.stop();
    expect(await events.all()).toEqual([{ event: 'end', data: { reason: 'server_stopping' } }]);
    expect(await stopped).toBe(0);
  });
});

function short({ event, data }: ServerEvent): string {
  const { type, path, from, is_dir, reason } = data as Record<string, string>;
  if (event !== 'change') return [event, reason, path].filter((each) => each !== undefined).join(' ');
  return `${type} ${from === undefined ? '' : `${from} -> `}${path}${is_dir ? '/' : ''}`;
}
