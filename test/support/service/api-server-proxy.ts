import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestCluster } from '../cluster-under-test';

/** How an API server behaves that is not well. */
export interface Behaviour {
  /** What it waits before it answers, in milliseconds. */
  readonly delayMs?: number;
  /** Whether it refuses every request with 429. Streams that are open go on. */
  readonly isBusy?: boolean;
  /** Whether it ends each watch after a moment, or says that its version is too old. */
  readonly watches?: 'cut' | 'expired';
}

/** How long a watch lives that is cut, in milliseconds. */
const WATCH_MS = 300;

const BUSY = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'TooManyRequests', message: 'too many requests', code: 429 };
const EXPIRED = {
  type: 'ERROR',
  object: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Expired', message: 'too old resource version', code: 410 },
};

/** Stands before a cluster's API server, and passes all on unless it is told to misbehave. */
export class ApiServerProxy {
  behaviour: Behaviour = {};
  private readonly sockets = new Set<Socket>();
  private readonly directory = mkdtempSync(join(tmpdir(), 'sandbox-api-server-'));
  private readonly tls: { ca: Buffer; cert: Buffer; key: Buffer };
  private readonly server = http.createServer((request, response) => void this.answer(request, response));

  private constructor(private readonly cluster: TestCluster) {
    // The test cluster's kubeconfig is JSON.
    const { clusters, users } = JSON.parse(readFileSync(cluster.kubeconfig, 'utf8'));
    const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
    const { 'client-certificate-data': cert, 'client-key-data': key } = users[0].user;
    this.tls = { ca: bytes(clusters[0].cluster['certificate-authority-data']), cert: bytes(cert), key: bytes(key) };
  }

  static async start(cluster: TestCluster): Promise<ApiServerProxy> {
    const proxy = new ApiServerProxy(cluster);
    proxy.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      socket.unshift(head);
      void proxy.upgrade(request, socket);
    });
    proxy.server.on('connection', (socket: Socket) => proxy.sockets.add(socket.on('close', () => proxy.sockets.delete(socket))));
    await once(proxy.server.listen(0, '127.0.0.1'), 'listening');
    const config = {
      clusters: [{ name: 'proxy', cluster: { server: `http://127.0.0.1:${(proxy.server.address() as AddressInfo).port}` } }],
      users: [{ name: 'nobody', user: {} }],
      contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'nobody' } }],
      'current-context': 'proxy',
    };
    writeFileSync(proxy.kubeconfig, JSON.stringify(config));
    return proxy;
  }

  get kubeconfig(): string {
    return join(this.directory, 'kubeconfig');
  }

  async stop(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async answer(request: IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { delayMs = 0, isBusy = false, watches } = this.behaviour;
    const isWatch = request.url!.includes('watch=true');
    await sleep(delayMs);
    if (isBusy) {
      response.writeHead(429, { 'Content-Type': 'application/json', 'Retry-After': '1' }).end(JSON.stringify(BUSY));
    } else if (isWatch && watches === 'expired') {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(EXPIRED)}\n`);
    } else {
      const passed = this.pass(request, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.on('error', () => response.destroy()).pipe(response);
      });
      passed.on('error', () => response.destroy());
      request.pipe(passed);
      response.on('close', () => passed.destroy());
      if (isWatch && watches === 'cut') setTimeout(() => response.destroy(), WATCH_MS);
    }
  }

  private async upgrade(request: IncomingMessage, socket: Socket): Promise<void> {
    socket.on('error', () => undefined);
    const { delayMs = 0, isBusy = false } = this.behaviour;
    await sleep(delayMs);
    const end = (status: string, body = ''): void =>
      void socket.end(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    if (isBusy) return end('429 Too Many Requests', JSON.stringify(BUSY));
    const passed = this.pass(request, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => (body += text));
      answer.on('end', () => end(`${answer.statusCode} ${answer.statusMessage}`, body));
    });
    passed.on('error', () => socket.destroy());
    passed.on('upgrade', (answer, goal, head) => {
      goal.unshift(head);
      const headers = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('')}\r\n`);
      goal.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('close', () => goal.destroy());
      socket.pipe(goal).pipe(socket);
    });
    passed.end();
  }

  private pass({ method, url, headers }: IncomingMessage, take: (answer: IncomingMessage) => void): http.ClientRequest {
    const { host: _, ...others } = headers;
    return https.request(new URL(url!, this.cluster.server), { ...this.tls, method, headers: others }, take);
  }
}
