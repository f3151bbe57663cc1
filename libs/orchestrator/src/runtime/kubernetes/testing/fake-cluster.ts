import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ClusterAccess } from '../cluster-access';
import type { KubernetesObject } from '../objects';

export interface Stored extends KubernetesObject {
  metadata: KubernetesObject['metadata'] & {
    uid: string;
    resourceVersion: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

interface Watcher {
  readonly path: string;
  readonly response: ServerResponse;
}

type Exec = (socket: WebSocket, command: string[], pod: Stored) => void;

/**
 * An API server in memory: objects with versions, 409 as the real one answers it, and watches. It
 * does on request what a real one does not: it forgets versions, and closes watches.
 */
export class FakeCluster {
  readonly objects = new Map<string, Stored>();
  /** The requests that came, as `GET /path`. */
  readonly requests: string[] = [];
  /** What a pod's status becomes once it is made. */
  start: (pod: Stored) => Record<string, unknown> = () => RUNNING;
  exec: Exec = (socket) => endExec(socket, 0);
  /** Says why an object is not taken; null: it is. */
  admit: (object: Stored) => { code: number; message: string } | null = () => null;
  /** Answers before anything else; true: it has answered. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  /** All changes that watches are told of. */
  private readonly events: { path: string; type: string; object: Stored }[] = [];
  private readonly watchers = new Set<Watcher>();
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private version = 1;

  private constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
    this.server.on('connection', (socket) => this.sockets.add(socket.on('close', () => this.sockets.delete(socket))));
    const upgrades = new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => [...offered].find((each) => each.startsWith('v4')) ?? false,
    });
    this.server.on('upgrade', (request, socket, head) => {
      const { pathname, searchParams } = new URL(request.url!, 'http://fake');
      this.requests.push(`EXEC ${searchParams.getAll('command').at(-1)}`);
      const pod = this.objects.get(pathname.replace(/\/exec$/, ''));
      if (pod === undefined) return socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
      upgrades.handleUpgrade(request, socket, head, (opened) => this.exec(opened, searchParams.getAll('command'), pod));
    });
  }

  static async begin(): Promise<FakeCluster> {
    const cluster = new FakeCluster();
    await new Promise<void>((resolve) => cluster.server.listen(0, '127.0.0.1', resolve));
    return cluster;
  }

  get access(): ClusterAccess {
    const { port } = this.server.address() as AddressInfo;
    return {
      server: new URL(`http://127.0.0.1:${port}`),
      tls: {},
      namespace: 'boxes',
      headers: async () => ({ Authorization: 'Bearer t' }),
    };
  }

  async end(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Closes all watches, as an API server does now and then. */
  closeWatches(): void {
    for (const { response } of this.watchers) response.end();
  }

  /** Tells all watches that their version is too old. */
  expireWatches(): void {
    for (const { response } of this.watchers)
      response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })}\n`);
  }

  get watching(): number {
    return this.watchers.size;
  }

  put(path: string, object: Stored, quietly = false): void {
    const known = this.objects.has(path);
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } };
    this.objects.set(path, next);
    if (!quietly) this.tell(path, known ? 'MODIFIED' : 'ADDED', next);
  }

  remove(path: string, quietly = false): void {
    const gone = this.objects.get(path);
    if (gone === undefined) return;
    this.objects.delete(path);
    if (!quietly) this.tell(path, 'DELETED', { ...gone, metadata: { ...gone.metadata, resourceVersion: String(++this.version) } });
  }

  /** @returns the objects whose path ends with this kind, such as `pods` */
  all(kind: string): Stored[] {
    return [...this.objects].filter(([path]) => folderOf(path).endsWith(`/${kind}`)).map(([, object]) => object);
  }

  private tell(path: string, type: string, object: Stored): void {
    this.events.push({ path, type, object });
    for (const { path: folder, response } of this.watchers)
      if (folderOf(path) === folder) response.write(`${JSON.stringify({ type, object })}\n`);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://fake');
    this.requests.push(`${request.method} ${pathname}`);
    if (this.intercept(request, response)) return;
    const body = JSON.parse((await buffer(request)).toString() || '{}') as Record<string, never>;
    const send = (status: number, answer: object): void => void response.writeHead(status).end(JSON.stringify(answer));
    const refuse = (code: number, reason: string): void => send(code, { kind: 'Status', code, reason, message: reason });
    const isFolder = /\/(pods|leases|persistentvolumeclaims)$/.test(pathname);
    if (isFolder && searchParams.get('watch') === 'true') {
      response.writeHead(200).flushHeaders();
      const watcher = { path: pathname, response };
      this.watchers.add(watcher);
      const from = Number(searchParams.get('resourceVersion'));
      for (const { path, type, object } of this.events)
        if (folderOf(path) === pathname && Number(object.metadata.resourceVersion) > from)
          response.write(`${JSON.stringify({ type, object })}\n`);
      response.on('close', () => this.watchers.delete(watcher));
      return;
    }
    if (isFolder && request.method === 'GET') {
      const wanted = (searchParams.get('labelSelector') ?? '').split(',').map((each) => each.split('='));
      const items = [...this.objects]
        .filter(
          ([path, { metadata }]) => folderOf(path) === pathname && wanted.every(([name, value]) => metadata.labels?.[name!] === value),
        )
        .map(([, object]) => object);
      return send(200, { metadata: { resourceVersion: String(this.version) }, items });
    }
    if (request.method === 'POST') return this.create(pathname, body, send, refuse);
    const found = this.objects.get(pathname);
    if (found === undefined) return refuse(404, 'NotFound');
    if (request.method === 'GET') return send(200, found);
    const expected = (request.method === 'DELETE' ? body.preconditions : body.metadata) as
      { uid?: string; resourceVersion?: string } | undefined;
    if ((expected?.uid ?? found.metadata.uid) !== found.metadata.uid) return refuse(409, 'Conflict');
    if ((expected?.resourceVersion ?? found.metadata.resourceVersion) !== found.metadata.resourceVersion) return refuse(409, 'Conflict');
    if (request.method === 'DELETE') this.remove(pathname);
    else this.put(pathname, merge(found, body) as Stored);
    return send(200, this.objects.get(pathname) ?? {});
  }

  private create(
    folder: string,
    body: object,
    send: (status: number, answer: object) => void,
    refuse: (code: number, reason: string) => void,
  ): void {
    const asked = body as Stored;
    const path = `${folder}/${asked.metadata.name}`;
    if (this.objects.has(path)) return refuse(409, 'AlreadyExists');
    const refusal = this.admit(asked);
    if (refusal !== null) return send(refusal.code, { kind: 'Status', reason: 'Forbidden', ...refusal });
    const metadata = { ...asked.metadata, uid: randomUUID(), creationTimestamp: new Date().toISOString(), resourceVersion: '' };
    this.put(path, { ...asked, metadata, status: { phase: 'Pending' } });
    const made = this.objects.get(path)!;
    send(201, made);
    if (!folder.endsWith('/pods')) return;
    setImmediate(() => {
      const now = this.objects.get(path);
      if (now?.metadata.uid === metadata.uid) this.put(path, { ...now, status: this.start(now) });
    });
  }
}

export const RUNNING = {
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True' }],
  containerStatuses: [{ name: 'sandbox', containerID: `containerd://${'ab'.repeat(32)}`, restartCount: 0, state: { running: {} } }],
};

/** Ends a process as a kubelet does: a Status on channel 3, and a close. */
export function endExec(socket: WebSocket, exitCode: number): void {
  const status =
    exitCode === 0
      ? { status: 'Success' }
      : { status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] } };
  socket.send(Buffer.concat([Buffer.from([3]), Buffer.from(JSON.stringify(status))]));
  socket.close(1000);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}
