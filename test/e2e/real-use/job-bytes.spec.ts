import { request as httpRequest, type IncomingMessage } from 'node:http';
import { eventually } from '../../support/service/processes';
import { docker, TestDeployment } from '../../support/service/deployment';
import { ALICE, BOB, type Client, Service } from '../../support/service/service';

jest.setTimeout(180_000);

const BYTES = 'application/octet-stream';
const MIB = 1024 * 1024;
const SESSION = 'bytes';
const until = (file: string): string => `until [ -e ${file} ]; do sleep 0.02; done`;

/** An answer that is read as it comes. */
class Transfer {
  readonly pieces: Buffer[] = [];
  size = 0;
  /** `whole` if it has ended as HTTP says, `broken` if it has not. */
  readonly outcome: Promise<'whole' | 'broken'>;

  private constructor(readonly response: IncomingMessage) {
    this.outcome = new Promise((resolve) => {
      response.on('end', () => resolve('whole')).on('close', () => resolve('broken'));
      response.on('error', () => undefined);
    });
  }

  static open(client: Client, path: string, method = 'GET'): Promise<Transfer> {
    return new Promise((resolve, reject) => {
      const headers = { ...client.headers, Accept: BYTES };
      const call = httpRequest(`${client.url}${path}`, { method, agent: false, headers });
      call.once('response', (response) => resolve(new Transfer(response)));
      call.once('error', reject);
      call.end();
    });
  }

  get offset(): number {
    return Number(this.response.headers['x-output-offset']);
  }

  read(): this {
    this.response.on('data', (piece: Buffer) => {
      this.pieces.push(piece);
      this.size += piece.length;
    });
    return this;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

describe('The bytes of a job’s output', () => {
  let service: Service;
  let alice: Client;
  const deployment = new TestDeployment();

  beforeAll(async () => {
    service = await Service.start({ deployment });
    alice = service.client(ALICE);
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  const output = (job: string, query = '', session = SESSION): string => `/sessions/${session}/jobs/${job}/output${query}`;

  async function start(command: string, session = SESSION): Promise<string> {
    const { status, body } = await alice.request<{ job_id: string }>('POST', `/sessions/${session}/jobs`, { command });
    expect(status).toBe(201);
    return body.job_id;
  }

  async function whole(path: string): Promise<{ offset: number; bytes: Buffer }> {
    const transfer = (await Transfer.open(alice, path)).read();
    expect([transfer.response.statusCode, await transfer.outcome]).toEqual([200, 'whole']);
    return { offset: transfer.offset, bytes: transfer.bytes };
  }

  async function problem(path: string, client = alice): Promise<{ status: number; code: string; detail: string }> {
    const transfer = (await Transfer.open(client, path)).read();
    await transfer.outcome;
    return { status: transfer.response.statusCode!, ...(JSON.parse(transfer.bytes.toString()) as { code: string; detail: string }) };
  }

  const fileBytes = async (name: string): Promise<Buffer> => (await whole(alice.workspace(SESSION, name, true))).bytes;

  const ended = (job: string): Promise<unknown> =>
    eventually('the job ends', async () => {
      const { body } = await alice.request<{ state: string }>('GET', `/sessions/${SESSION}/jobs/${job}`);
      return body.state !== 'running';
    });

  it('are all of them, as written, when they are no text', async () => {
    const job = await start('head -c 3500001 /dev/urandom > data; cat data; cat data >&2');
    const [stdout, stderr] = await Promise.all([whole(output(job)), whole(output(job, '?stream=stderr&offset=0'))]);
    await ended(job);
    const data = await fileBytes('data');
    expect(data).toHaveLength(3_500_001);
    expect([stdout.offset, stdout.bytes.equals(data)]).toEqual([0, true]);
    expect([stderr.offset, stderr.bytes.equals(data)]).toEqual([0, true]);
  });

  it('come as they are written, until the job ends', async () => {
    const job = await start(`printf one; ${until('go')}; printf two; ${until('end')}; printf three`);
    const transfer = (await Transfer.open(alice, output(job))).read();
    await eventually('the first has come', async () => transfer.bytes.toString() === 'one');
    await alice.run(SESSION, 'touch go');
    await eventually('the second has come', async () => transfer.bytes.toString() === 'onetwo');
    await alice.run(SESSION, 'touch end');
    expect([await transfer.outcome, transfer.bytes.toString()]).toEqual(['whole', 'onetwothree']);
    expect((await whole(output(job))).bytes.toString()).toBe('onetwothree');
  });

  it('begin and end where the client says', async () => {
    const job = await start(`seq 1 100; ${until('stop')}`);
    const numbers = Array.from({ length: 100 }, (_, i) => `${i + 1}\n`).join('');
    await eventually('it has written', async () => (await whole(output(job, '?wait_seconds=0'))).bytes.length === numbers.length);
    for (const [query, offset, text] of [
      ['?wait_seconds=0', 0, numbers],
      ['?offset=200&wait_seconds=0', 200, numbers.slice(200)],
      ['?offset=20&limit=16', 20, numbers.slice(20, 36)],
      [`?offset=${numbers.length}&wait_seconds=1`, numbers.length, ''],
      ['?stream=stderr&wait_seconds=0', 0, ''],
    ] as const) {
      const { bytes, ...answer } = await whole(output(job, query));
      expect([query, { ...answer, text: bytes.toString() }]).toEqual([query, { offset, text }]);
    }
    expect(await problem(output(job, '?offset=99999'))).toMatchObject({ status: 416, code: 'RANGE_NOT_SATISFIABLE' });
    const head = (await Transfer.open(alice, output(job, '?offset=7'), 'HEAD')).read();
    expect([head.response.statusCode, head.offset, await head.outcome, head.size]).toEqual([200, 7, 'whole', 0]);
    await alice.run(SESSION, 'touch stop');
  });

  it('have no gap when their beginning was dropped', async () => {
    const job = await start(`head -c ${9 * MIB} /dev/urandom > much; cat much`);
    await ended(job);
    const refused = await problem(output(job, '?offset=0'));
    expect(refused).toMatchObject({ status: 416, code: 'RANGE_NOT_SATISFIABLE' });
    expect(refused.detail).toContain(`The bytes before offset ${MIB} are dropped already.`);
    const much = await fileBytes('much');
    for (const query of ['', `?offset=${MIB}`]) {
      const { offset, bytes } = await whole(output(job, query));
      expect([offset, bytes.equals(much.subarray(MIB))]).toEqual([MIB, true]);
    }
  });

  it('break off, and have no gap, when the job drops bytes before the client reads them', async () => {
    const job = await start(`${until('flood')}; seq 1 4000000; touch flooded; sleep 50`);
    const transfer = await Transfer.open(alice, output(job));
    await alice.run(SESSION, `touch flood; ${until('flooded')}`);
    transfer.read();
    expect(await transfer.outcome).toBe('broken');
    const text = transfer.bytes.toString();
    const lines = text.split('\n').slice(0, -1);
    expect(lines).toEqual(lines.map((_, i) => String(i + 1)));
    expect(lines.length).toBeGreaterThan(0);
    expect((await problem(output(job, `?offset=${transfer.size}`))).status).toBe(416);
  });

  it('break off when the sandbox is lost', async () => {
    const job = await start('echo here; sleep 50', 'doomed');
    const transfer = (await Transfer.open(alice, output(job, '', 'doomed'))).read();
    await eventually('the beginning has come', async () => transfer.bytes.toString() === 'here\n');
    const { container_id } = await alice.run('doomed', 'true');
    await docker.getContainer(container_id).kill();
    expect(await transfer.outcome).toBe('broken');
    expect(await problem(output(job, '', 'doomed'))).toMatchObject({ code: 'JOB_LOST' });
  });

  it('are not there for another user', async () => {
    const job = await start('echo secret');
    expect(await problem(output(job), service.client(BOB))).toMatchObject({ status: 404, code: 'JOB_NOT_FOUND' });
    expect(await problem(output('0'.repeat(32)))).toMatchObject({ status: 404, code: 'JOB_NOT_FOUND' });
  });

  it('cost the session nothing more when their client has gone away', async () => {
    const job = await start('yes');
    // More than a session has calls at a time.
    for (let i = 0; i < 70; i++) (await Transfer.open(alice, output(job))).response.destroy();
    expect((await alice.run(SESSION, 'echo fine')).stdout).toBe('fine\n');
    const tail = await Transfer.open(alice, output(job, '?limit=16'));
    expect([tail.response.statusCode, await tail.read().outcome, tail.size]).toEqual([200, 'whole', 16]);
  });
});
