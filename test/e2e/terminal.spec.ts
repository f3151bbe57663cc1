import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, REPLICATED } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import { Client } from '../support/service/service';
import { Terminal } from '../support/service/terminal';
import { UNDER_GVISOR } from '../support/engine-under-test';

jest.setTimeout(180_000);

/** @returns the key that sends a signal. gVisor also keeps it in the line, so a newline follows. */
const signalKey = (key: string): string => (UNDER_GVISOR ? `${key}\n` : key);

const JWT_SECRET = 'a secret of at least thirty-two bytes';

interface Refusal {
  code: string;
  errors?: { field: string }[];
}

function token(sub: string, exp: number): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub, exp })}`;
  return `${content}.${createHmac('sha256', JWT_SECRET).update(content).digest('base64url')}`;
}

describe('The service, for terminals', () => {
  let cluster: Cluster;
  const open: Terminal[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED, { JWT_SECRET, SESSION_TTL_SECONDS: '3' });
  });
  afterEach(async () => {
    for (const terminal of open.splice(0)) await terminal.close();
  });
  afterAll(() => cluster?.stop());

  async function start(session: string, query = '', headers?: Record<string, string>): Promise<Terminal> {
    const terminal = await Terminal.open(cluster.alice, session, query, headers);
    open.push(terminal);
    return terminal;
  }

  it('runs a shell with job control, echo and colours when a terminal opens', async () => {
    const terminal = await start('shell');
    expect(terminal.messages[0]).toEqual({ type: 'open', terminal: expect.stringMatching(/^[0-9a-f]{32}$/), offset: 0 });
    terminal.type('echo $((6*7)) > answer; printf "\\033[31mred\\033[0m\\n"; tty\n');
    await terminal.shows(/\[31mred.\[0m\r\n\/dev\/pts\/\d/);
    expect((await cluster.alice.run('shell', 'cat answer')).stdout).toBe('42\n');
    terminal.type('sleep 81.5\n');
    const sleeping = async (): Promise<boolean> =>
      /^1\n$/.test((await cluster.alice.run('shell', 'ps -eo args | grep -c "^sleep 81"')).stdout);
    await eventually('it sleeps', sleeping);
    terminal.type(signalKey('\x1a'));
    await terminal.shows(/Stopped|suspended/i);
    terminal.type('bg; kill %1; wait; exit 7\n');
    await terminal.until('it ends', () => terminal.closed !== undefined);
    expect([terminal.messages.at(-1), terminal.closed]).toEqual([{ type: 'exit', exit_code: 7 }, { code: 1000 }]);
  });

  it('runs python3 interactively when it is typed', async () => {
    const terminal = await start('python', '?command=python3');
    await terminal.shows(/>>> $/);
    terminal.type('6 * 7\n');
    await terminal.shows(/\r\n42\r\n/);
    terminal.type('\x04');
    await terminal.until('it ends', () => terminal.closed !== undefined);
    expect(terminal.messages.at(-1)).toEqual({ type: 'exit', exit_code: 0 });
  });

  it('redraws a full-screen program when the size changes', async () => {
    const terminal = await start('top', '?cols=90&rows=20&command=top');
    await terminal.shows(/PID[^]*COMMAND/);
    terminal.type('q');
    await terminal.until('it ends', () => terminal.closed !== undefined);
    const sized = await start(
      'size',
      `?cols=91&rows=21&command=${encodeURIComponent("trap 'stty size' WINCH; stty size; while :; do sleep 0.02; done")}`,
    );
    await sized.shows(/21 91\r\n/);
    sized.tell({ type: 'resize', cols: 120, rows: 40 });
    await sized.shows(/40 120\r\n/);
  });

  it('saves what is typed into vi, and redraws it when the size changes', async () => {
    await cluster.alice.run('vi', 'printf "first\\nsecond\\n" > note.txt');
    const terminal = await start('vi', `?cols=80&rows=12&command=${encodeURIComponent('vi note.txt')}`);
    await terminal.shows(/first[^]*second/);
    const emptyLines = (): number => terminal.screen.match(/~/g)?.length ?? 0;
    await terminal.until('lines past the end', () => emptyLines() >= 9);
    terminal.screen = '';
    terminal.tell({ type: 'resize', cols: 80, rows: 30 });
    await terminal.until('as many as the new size has', () => emptyLines() >= 27);
    terminal.type('Gothird line\x1b:wq\r');
    await terminal.until('it ends', () => terminal.closed !== undefined);
    expect(terminal.messages.at(-1)).toEqual({ type: 'exit', exit_code: 0 });
    expect((await cluster.alice.run('vi', 'cat note.txt')).stdout).toBe('first\nsecond\nthird line\n');
  });

  it('keeps the order of input when a megabyte is pasted', async () => {
    const terminal = await start(
      'paste',
      '?command=' + encodeURIComponent('stty -icanon -echo; echo ready; head -c 1000000 | sha256sum; exec cat'),
    );
    await terminal.shows(/ready/);
    const text = Array.from({ length: 125_000 }, (_, i) => `${i}`.padStart(7, '0') + '\n').join('');
    for (let at = 0; at < text.length; at += 10_000) terminal.type(text.slice(at, at + 10_000));
    const { stdout } = await cluster.alice.run(
      'paste',
      `python3 -c "import hashlib; print(hashlib.sha256(''.join('%07d\\\\n' % i for i in range(125000)).encode()).hexdigest())"`,
    );
    await terminal.shows(new RegExp(stdout.trim()));
  });

  it('sends what was missed when a client comes back to any replica', async () => {
    const first = await start(
      'back',
      '?command=' + encodeURIComponent('echo before; until [ -e go ]; do sleep 0.02; done; echo after; exec cat'),
    );
    await first.shows(/before\r\n/);
    await first.close();
    await cluster.alice.run('back', 'touch go');
    const second = await start('back', `?terminal=${first.id}&since=${first.received}`);
    await second.shows(/after\r\n/);
    expect(second.screen).toMatch(/^after\r\n/);
    second.type('typed\n');
    await second.shows(/typed\r\ntyped\r\n/);
    const third = await start('back', `?terminal=${first.id}`);
    await third.shows(/^before\r\nafter\r\ntyped/);
    expect(await Terminal.refused(cluster.alice, `/sessions/back/terminal?terminal=${'0'.repeat(32)}`)).toEqual([404, 'NOT_FOUND']);
    expect(await Terminal.refused(cluster.bob, `/sessions/back/terminal?terminal=${first.id}`)).toEqual([404, 'NOT_FOUND']);
  });

  it('bounds the output, and passes keys on, when a program floods', async () => {
    const terminal = await start('flood');
    terminal.socket.pause();
    terminal.type('yes; echo over\n');
    await sleep(1_500);
    terminal.socket.resume();
    terminal.type(signalKey('\x03'));
    // The shell may drop what is typed before it asks for the next line.
    await terminal.shows(/echo over\r\n[^]*\$ $/);
    terminal.type('echo still-$((6*7))\n');
    await terminal.shows(/still-42\r\n/);
  });

  it('keeps a session alive while its terminal is open', async () => {
    const terminal = await start('alive');
    await sleep(6_000);
    expect((await cluster.alice.request('GET', '/sessions/alive')).status).toBe(200);
    terminal.type('echo fine\n');
    await terminal.shows(/fine\r\n/);
    await terminal.close();
    await eventually('the session expires', async () => (await cluster.alice.request('GET', '/sessions/alive')).status === 404, 60);
  });

  it('opens one terminal, in its session, when a ticket is used', async () => {
    const ticket = async (session: string): Promise<string> => {
      const { status, body } = await cluster.alice.request<{ ticket: string; url: string }>('POST', `/sessions/${session}/terminal`);
      expect([status, body.url]).toEqual([201, `/sessions/${session}/terminal?ticket=${body.ticket}`]);
      return body.ticket;
    };
    const good = await ticket('ticket');
    const terminal = await start('ticket', `?ticket=${good}`, {});
    terminal.type('echo hello\n');
    await terminal.shows(/hello\r\n/);
    const refused = (session: string, given: string): Promise<[number, string]> =>
      Terminal.refused(cluster.alice, `/sessions/${session}/terminal?ticket=${given}`, {});
    expect(await refused('ticket', good)).toEqual([401, 'UNAUTHORIZED']);
    expect(await refused('other', await ticket('ticket'))).toEqual([401, 'UNAUTHORIZED']);
    expect(await refused('ticket', 'made-up')).toEqual([401, 'UNAUTHORIZED']);
  });

  it('refuses an upgrade when a request would be refused', async () => {
    const path = '/sessions/refused/terminal';
    expect(await Terminal.refused(cluster.alice, path, {})).toEqual([401, 'UNAUTHORIZED']);
    expect(await Terminal.refused(cluster.alice, path, { 'X-API-Key': 'wrong' })).toEqual([401, 'UNAUTHORIZED']);
    expect(await Terminal.refused(cluster.alice, '/sessions/refused/nothing')).toEqual([404, 'NOT_FOUND']);
    expect(await Terminal.refused(cluster.alice, `${path}?command=no-such-shell`)).toEqual([400, 'COMMAND_NOT_ALLOWED']);
    for (const query of ['cols=0', 'rows=1001', 'cols=x', 'shell=sh', 'no_such_field=1', 'command=']) {
      expect(await Terminal.refused(cluster.alice, `${path}?${query}`)).toEqual([422, 'VALIDATION_FAILED']);
    }
    for (const [message, ...problem] of [
      ['not json', 'BAD_REQUEST'],
      ['[]', 'VALIDATION_FAILED', ''],
      [{ type: 'resize', cols: 0, rows: 1 }, 'VALIDATION_FAILED', 'cols'],
      [{ type: 'quit', cols: 1, rows: 1 }, 'BAD_REQUEST'],
      [{ type: 'resize' }, 'VALIDATION_FAILED', 'cols', 'rows'],
      [{ type: 'resize', cols: 1, rows: 1, no_such_field: 1 }, 'VALIDATION_FAILED', 'no_such_field'],
    ] as const) {
      const terminal = await start('refused');
      terminal.tell(message);
      await terminal.until('it is closed', () => terminal.closed !== undefined);
      const { type, problem: told } = terminal.messages.at(-1)! as { type?: string; problem?: Refusal };
      expect([type, terminal.closed]).toEqual(['error', { code: 1008 }]);
      expect([told?.code, ...(told?.errors ?? []).map(({ field }) => field)]).toEqual(problem);
    }
  });

  it('closes a terminal when its credential expires', async () => {
    // Past its end a token is honoured for 60 s more: the clocks of two machines differ.
    const headers = { Authorization: `Bearer ${token('carol', Math.floor(Date.now() / 1000) - 56)}` };
    const carol = new Client(cluster.alice.url, headers);
    const terminal = await Terminal.open(carol, 'expiring');
    open.push(terminal);
    await terminal.until('it is closed', () => terminal.closed !== undefined);
    expect([terminal.messages.at(-1), terminal.closed]).toEqual([
      { type: 'error', problem: expect.objectContaining({ code: 'UNAUTHORIZED' }) },
      { code: 1008 },
    ]);
    expect(await Terminal.refused(carol, '/sessions/expiring/terminal')).toEqual([401, 'UNAUTHORIZED']);
  });
});

describe('The service, for terminals at a stopping API,', () => {
  it('tells clients to come back elsewhere when it stops', async () => {
    const cluster = await Cluster.start(REPLICATED);
    try {
      const [first, second] = cluster.services;
      const headers = cluster.alice.headers;
      const terminal = await Terminal.open(new Client(first!.url, headers), 's', '?command=cat');
      terminal.type('one\n');
      await terminal.shows(/one\r\none\r\n/);
      expect(await first!.stop()).toBe(0);
      expect(terminal.closed).toEqual({ code: 1001 });
      const again = await Terminal.open(new Client(second!.url, headers), 's', `?terminal=${terminal.id}&since=${terminal.received}`);
      again.type('two\n');
      await again.shows(/^two\r\ntwo\r\n/);
      await again.close();
    } finally {
      await cluster.stop();
    }
  });
});
