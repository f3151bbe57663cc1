import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/service/processes';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, type Client, Service } from '../../support/service/service';
import { Terminal } from '../../support/service/terminal';

jest.setTimeout(120_000);

const MIB = 1024 * 1024;
const deployment = new TestDeployment();
let service: Service;
let rest: Client;
const terminals: Terminal[] = [];

beforeAll(async () => {
  service = await Service.start({ deployment });
  rest = service.client(ALICE);
});

afterEach(async () => {
  for (const terminal of terminals.splice(0)) await terminal.close();
});

afterAll(async () => {
  await service?.stop();
  await deployment.removeAll();
});

describe('POST …/jobs/{job_id}/signal', () => {
  const SESSION = 'signals';
  const jobs = (path = ''): string => `/sessions/${SESSION}/jobs${path}`;

  async function startJob(): Promise<string> {
    const { body } = await rest.request<{ job_id: string }>('POST', jobs(), { command: 'exec sleep 600' });
    return body.job_id;
  }

  it.each<[string | number, string, number]>([
    ['TERM', 'SIGTERM', 143],
    ['SIGTERM', 'SIGTERM', 143],
    ['sigterm', 'SIGTERM', 143],
    ['Term', 'SIGTERM', 143],
    ['INT', 'SIGINT', 130],
    ['kill', 'SIGKILL', 137],
    ['9', 'SIGKILL', 137],
    [9, 'SIGKILL', 137],
  ])('sends the signal when it is %j', async (given, signal, exit_code) => {
    const id = await startJob();
    expect((await rest.request('POST', jobs(`/${id}/signal`), { signal: given })).status).toBe(204);
    const ended = await eventually('the job ends', async () => {
      const { body } = await rest.request('GET', jobs(`/${id}`));
      return body.state !== 'running' && body;
    });
    expect(ended).toMatchObject({ state: 'killed', signal, exit_code });
  });

  it.each(['RTMIN', '11', 0, '-9', 'TERM ', null, ['TERM']])('names what is allowed when the signal is %j', async (given) => {
    const { status, body } = await rest.request('POST', jobs(`/${'0'.repeat(32)}/signal`), { signal: given });
    expect([status, body.errors]).toEqual([
      422,
      [
        {
          field: 'signal',
          message:
            'must be one of SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGSTOP, SIGTSTP, with or without SIG, or its number',
        },
      ],
    ]);
  });
});

describe('A terminal, for a paste,', () => {
  async function open(session: string, command: string): Promise<Terminal> {
    const terminal = await Terminal.open(rest, session, `?command=${encodeURIComponent(command)}`);
    terminals.push(terminal);
    await terminal.shows(/ready/);
    return terminal;
  }

  /** Lines of seven digits, so that no two parts are the same. */
  const text = (bytes: number): Buffer =>
    Buffer.from(Array.from({ length: Math.ceil(bytes / 8) }, (_, n) => `${n}`.padStart(7, '0') + '\n').join('')).subarray(0, bytes);
  const SUM = `python3 -c "import hashlib; t = ''.join('%07d\\\\n' % i for i in range(${MIB / 8})); print(hashlib.sha256(t.encode()).hexdigest())"`;

  it('delivers it whole, then resizes and keys, when one frame has 1 MiB and the program reads slowly', async () => {
    const slowly = `python3 -c "import sys, time, hashlib; h = hashlib.sha256()
left = ${MIB}
while left: d = sys.stdin.buffer.raw.read(min(left, 8192)); left -= len(d); h.update(d); time.sleep(0.001)
print(h.hexdigest())"`;
    const terminal = await open('slow', `stty raw -echo; echo ready; ${slowly}; head -c 5; stty size`);
    terminal.socket.send(text(MIB));
    terminal.tell({ type: 'resize', cols: 100, rows: 41 });
    terminal.type('after');
    const { stdout } = await rest.run('slow', SUM);
    await terminal.shows(new RegExp(`${stdout.trim()}\\s*after41 100`));
  });

  it('closes the connection with 1009 when a frame is over 1 MiB', async () => {
    const terminal = await open('long', 'stty raw -echo; echo ready; cat');
    terminal.socket.send(text(MIB + 1));
    await terminal.until('it is closed', () => terminal.closed !== undefined);
    expect(terminal.closed).toEqual({ code: 1009 });
  });

  it('holds it back, and can still resize and close, when the program never reads', async () => {
    const terminal = await open('deaf', `stty raw -echo; trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done`);
    for (let n = 0; n < 2; n++) terminal.socket.send(text(MIB));
    terminal.tell({ type: 'resize', cols: 90, rows: 31 });
    await terminal.shows(/31 90/);
    terminal.socket.close(1000);
    await terminal.until('it is closed', () => terminal.closed !== undefined);
    expect(terminal.closed).toEqual({ code: 1000 });
  });

  it('stops reading from the network when it does not end', async () => {
    const terminal = await open('endless', 'stty raw -echo; echo ready; sleep 600');
    for (let n = 0; n < 64; n++) terminal.socket.send(text(MIB));
    // What the API, the kernel and the client's socket do not take stays in the client.
    await sleep(3_000);
    expect(terminal.socket.bufferedAmount).toBeGreaterThan(32 * MIB);
    expect((await rest.request('GET', '/health')).status).toBe(200);
  });
});
