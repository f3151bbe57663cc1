import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { Cluster, REPLICATED, SETUPS } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import { beginAnswer, getFrom, listening, preview, sendTo, socketTo, startWebProgram } from '../support/service/preview';
import { ALICE, type Client, Service } from '../support/service/service';

jest.setTimeout(120_000);

const PORT = 8765;
const SESSION = 'web';
const ABSENT = 'There is no such preview (any more).\n';

describe.each(SETUPS)('The service, for previews (%s)', (setup) => {
  let cluster: Cluster;
  /** A client of one process, which has to do with all that a test compares. */
  let alice: Client;
  let url: string;

  beforeAll(async () => {
    cluster = await Cluster.start(setup, { SESSION_TTL_SECONDS: '20' });
    alice = cluster.alice;
    await startWebProgram(alice, SESSION, PORT);
    ({ url } = await preview(alice, SESSION, PORT));
  });
  afterAll(() => cluster?.stop());

  /** The same preview by each process. */
  const urls = (of = url): string[] => cluster.services.map(({ port }) => of.replace(/:\d+\//, `:${port}/`));

  it('lists what listens, and says when there is no session', async () => {
    const { body } = await alice.request('GET', `/sessions/${SESSION}/ports`);
    expect(body).toEqual({ ports: [{ port: PORT, address: '127.0.0.1', program: `python3 web_program.py ${PORT}` }] });
    for (const [method, path] of [
      ['GET', '/sessions/never/ports'],
      ['POST', '/sessions/never/ports/80'],
      ['GET', '/sessions/never/ports/80/proxy/'],
    ] as const)
      expect([path, (await alice.request(method, path)).body.code]).toEqual([path, 'SESSION_NOT_FOUND']);
    expect((await cluster.bob.request('POST', `/sessions/${SESSION}/ports/${PORT}`)).body.code).toBe('SESSION_NOT_FOUND');
    expect((await alice.request('GET', '/sessions/never')).status).toBe(404);
  });

  it('shows the program to whoever has the URL, at every process', async () => {
    expect(url).toMatch(new RegExp(`^http://${PORT}-[0-9a-f]{32}\\.localhost:\\d+/$`));
    for (const each of urls()) {
      const { status, headers, body } = await getFrom(each);
      expect([status, headers['content-type'], headers['set-cookie']]).toEqual([200, 'text/html', ['wide=1; Path=/', 'own=1']]);
      expect(body).toContain('Hello from the sandbox');
      const moved = await getFrom(`${each}moved`);
      expect([moved.status, moved.headers.location]).toEqual([302, '/headers']);
      const seen = Object.fromEntries(
        JSON.parse((await getFrom(`${each}headers`, { headers: { 'X-API-Key': ALICE } })).body) as [string, string][],
      );
      expect(seen).toMatchObject({ Host: `localhost:${PORT}`, 'X-Forwarded-Host': new URL(each).host, 'X-Forwarded-For': '127.0.0.1' });
      expect(JSON.stringify(seen)).not.toContain(ALICE);
    }
  });

  it('takes content of any size, in chunks, or only if the program wants it', async () => {
    const content = randomBytes(5_000_000);
    const expected = { size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
    for (const headers of [{ 'Content-Length': content.length }, { 'Transfer-Encoding': 'chunked' }])
      expect(JSON.parse((await getFrom(url, { method: 'POST', headers, body: content })).body)).toEqual(expected);
    for (const [path, continues] of [
      ['', true],
      ['unwanted', false],
    ] as const) {
      const sent = sendTo(`${url}${path}`, { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 3 } });
      sent.on('error', () => undefined);
      let continued = false;
      sent.on('continue', () => {
        continued = true;
        sent.end('abc');
      });
      sent.flushHeaders();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      response.resume();
      expect([continued, response.statusCode]).toEqual([continues, continues ? 200 : 417]);
      sent.destroy();
    }
  });

  it('streams events, and carries a WebSocket', async () => {
    expect((await getFrom(`${url}events`)).body).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
    const socket = socketTo(url);
    await once(socket, 'open');
    const text = 'x'.repeat(60_000);
    socket.send(text);
    expect(String((await once(socket, 'message'))[0])).toBe(text);
    socket.close(1000);
    await once(socket, 'close');
  });

  it('says which ports listen when nothing does on this one', async () => {
    const other = await preview(alice, SESSION, 9999);
    const { status, body } = await getFrom(other.url);
    expect([status, body]).toEqual([502, `Nothing listens on port 9999.\n\nPrograms in this sandbox listen on: ${PORT}\n`]);
    expect((await alice.request('GET', `/sessions/${SESSION}/ports/9999/proxy/`)).body).toMatchObject({
      status: 502,
      code: 'PORT_UNREACHABLE',
    });
  });

  it('smuggles nothing past the host name', async () => {
    const { port, host } = new URL(url);
    const raw = (text: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect(Number(port), '127.0.0.1');
        let answer = '';
        socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
        socket.on('error', () => undefined).on('close', () => resolve(answer));
        socket.write(text);
      });
    const hidden = `GET /sessions HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${ALICE}\r\nConnection: close\r\n\r\n`;
    const both = await raw(
      `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${hidden.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    );
    expect(both).toMatch(/^HTTP\/1\.1 400 [^]*BAD_REQUEST/);
    expect(both).not.toContain('"sessions"');
    const inside = await raw(`POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`);
    expect(inside).toContain(createHash('sha256').update(hidden).digest('hex'));
    expect(await raw(`GET / HTTP/1.1\r\nHost: ${host}\r\nHost: localhost\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('is for programs, too, with the usual credentials', async () => {
    const path = `/sessions/${SESSION}/ports/${PORT}/proxy`;
    const seen = await alice.request<[string, string][]>('GET', `${path}/headers?x`);
    expect([seen.status, Object.fromEntries(seen.body)]).toMatchObject([200, { Host: `localhost:${PORT}`, 'X-Forwarded-Prefix': path }]);
    expect((await alice.request('GET', `${path}/`)).headers.get('set-cookie')).toBeNull();
    expect((await alice.request('POST', `${path}/a`, undefined, { body: 'abc' })).body).toMatchObject({ size: 3 });
    expect((await cluster.bob.request('GET', `${path}/`)).body.code).toBe('SESSION_NOT_FOUND');
    const socket = new WebSocket(`${alice.url.replace('http', 'ws')}/sessions/${SESSION}/ports/${PORT}/tcp`, { headers: alice.headers });
    await once(socket, 'open');
    socket.send(Buffer.from('GET /headers HTTP/1.0\r\n\r\n'));
    let text = '';
    socket.on('message', (data: Buffer) => (text += data.toString()));
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.[01] 200 OK/);
  });

  it('harms nobody when 32 clients take nothing of an endless answer', async () => {
    const stalled = await Promise.all(
      Array.from({ length: 32 }, async () => {
        const response = await beginAnswer(`${url}endless`);
        return response.pause().on('error', () => undefined);
      }),
    );
    expect((await getFrom(url)).status).toBe(200);
    expect((await alice.run(SESSION, 'echo fine')).stdout).toBe('fine\n');
    for (const response of stalled) response.destroy();
    expect((await getFrom(url)).status).toBe(200);
  });

  it('ends, with its open connections, when it is revoked by any process', async () => {
    const { url: revoked } = await preview(alice, SESSION, PORT);
    const sockets = urls(revoked).map((each) => socketTo(each));
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    const kept = socketTo(url);
    await once(kept, 'open');
    const events = await Promise.all(urls(revoked).map((each) => beginAnswer(`${each}clock`)));
    const ends = events.map((answer) =>
      answer.toArray().then(
        () => 'whole',
        () => 'broken off',
      ),
    );
    const own = new WebSocket(`${alice.url.replace('http', 'ws')}/sessions/${SESSION}/ports/${PORT}/proxy/socket`, {
      headers: alice.headers,
    });
    await once(own, 'open');
    const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
    const other = await preview(alice, SESSION, 9998);
    expect((await cluster.alice.request('DELETE', `/sessions/${SESSION}/ports/${PORT}`)).status).toBe(204);
    await closed;
    await eventually('the other URL’s is closed, too', async () => kept.readyState === WebSocket.CLOSED);
    expect(await Promise.all(ends)).toEqual(ends.map(() => 'broken off'));
    own.send('with a credential');
    expect(String((await once(own, 'message'))[0])).toBe('with a credential');
    own.terminate();
    for (const each of [...urls(revoked), ...urls()])
      await eventually('it is gone', async () => {
        const { status, body } = await getFrom(each);
        return status === 404 && body === ABSENT;
      });
    expect((await getFrom(other.url)).status).toBe(502);
    ({ url } = await preview(alice, SESSION, PORT));
    expect((await getFrom(url)).status).toBe(200);
  });

  it('keeps a live session alive, and wakes none', async () => {
    await startWebProgram(alice, 'short', PORT);
    await alice.request('PATCH', '/sessions/short', { ttl_seconds: 6 });
    const short = await preview(alice, 'short', PORT);
    const jobs = (await alice.request<{ jobs: { job_id: string }[] }>('GET', '/sessions/short/jobs')).body.jobs;
    // Without its job, nothing but the preview uses the session.
    await alice.execute('short', `nohup python3 web_program.py ${PORT + 1} >/dev/null 2>&1 &`);
    for (const { job_id } of jobs) await alice.request('DELETE', `/sessions/short/jobs/${job_id}`);
    const used = await preview(alice, 'short', PORT + 1);
    const expiresAt = async (): Promise<string> => (await alice.request<{ expires_at: string }>('GET', '/sessions/short')).body.expires_at;
    await eventually('it answers', async () => (await getFrom(used.url)).status === 200);
    const before = await expiresAt();
    await eventually('a look by the preview counts as a use', async () => {
      await getFrom(used.url);
      return (await expiresAt()) > before;
    });
    await eventually('the session ends', async () => (await alice.request('GET', '/sessions/short')).status === 404, 60);
    for (const each of [short, used]) {
      const { status, body } = await getFrom(each.url);
      expect([status, body]).toEqual([404, ABSENT]);
    }
    expect((await alice.request('GET', '/sessions/short')).status).toBe(404);
  });

  it('is worth nothing when the sandbox is replaced, or the session deleted', async () => {
    const session = `replaced-${setup.length}`;
    await startWebProgram(alice, session, PORT);
    const { url: old } = await preview(alice, session, PORT);
    const { container_id } = await alice.run(session, 'true');
    const before = (await cluster.deployment.containers()).length;
    await cluster.deployment.removeContainer(container_id);
    await eventually('the preview is gone', async () => (await getFrom(old)).status === 404);
    expect((await getFrom(old)).body).toBe(ABSENT);
    expect(await cluster.deployment.containers()).toHaveLength(before - 1);
    await startWebProgram(alice, session, PORT);
    expect((await getFrom(old)).body).toBe(ABSENT);
    const { url: present } = await preview(alice, session, PORT);
    const socket = socketTo(present);
    await once(socket, 'open');
    await alice.deleteSession(session);
    await eventually('it is closed', async () => socket.readyState === WebSocket.CLOSED);
    expect((await getFrom(present)).body).toBe(ABSENT);
    await startWebProgram(alice, session, PORT);
    expect((await getFrom(present)).body).toBe(ABSENT);
  });

  it('notes opening and revoking in the log, and never a token', async () => {
    const { url: logged } = await preview(alice, SESSION, 7777);
    await alice.request('DELETE', `/sessions/${SESSION}/ports/7777`);
    await getFrom(logged);
    const outputs = (): string => cluster.services.map(({ child }) => child.output).join('');
    const lines = await eventually('both are logged', async () => {
      const found = outputs()
        .split('\n')
        .filter((line) => line.includes('"audit":true') && line.includes('"port":7777,'));
      return found.length === 2 && found;
    });
    const output = outputs();
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({ op: 'expose_port', port: 7777, session_id: SESSION }),
      expect.objectContaining({ op: 'revoke_port', port: 7777, session_id: SESSION }),
    ]);
    expect(output).not.toContain(/-([0-9a-f]{32})\./.exec(logged)![1]);
    expect(output).not.toContain(/-([0-9a-f]{32})\./.exec(url)![1]);
  });
});

describe('The service, for previews after a restart,', () => {
  it('lets the same URL in, and closes WebSockets before it stops', async () => {
    const cluster = await Cluster.start(REPLICATED);
    try {
      await startWebProgram(cluster.alice, SESSION, PORT);
      const { url } = await preview(cluster.alice, SESSION, PORT);
      const at = (port: number): string => url.replace(/:\d+\//, `:${port}/`);
      const sockets = cluster.services.map(({ port }) => socketTo(at(port)));
      await Promise.all(sockets.map((socket) => once(socket, 'open')));
      for (const service of cluster.services) expect(await service.stop()).toBe(0);
      const { deployment, redis } = cluster;
      const again = await Service.start({ deployment, redis });
      try {
        expect((await getFrom(at(again.port))).status).toBe(200);
        expect(await listening(again.client(ALICE), SESSION)).toEqual([PORT]);
      } finally {
        await again.stop('SIGKILL');
      }
    } finally {
      await cluster.stop();
    }
  });
});
