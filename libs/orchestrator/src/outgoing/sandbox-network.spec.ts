import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { loadConfig } from '@sandbox/config';
import { createSessionStore, sessionRef, type SessionRecord, type SessionStore } from '@sandbox/sessions';
import type { Channel } from '../channel/channel';
import { StreamError } from '../channel/stream-error';
import type { StreamOffer } from '../channel/stream-set';
import { OutgoingNetwork } from './outgoing-network';
import { SandboxNetwork } from './sandbox-network';

const configOf = (more: Record<string, string> = {}) =>
  loadConfig({ SESSION_STORE: 'memory', EGRESS_ALLOW: '*, *:9000', ...more }, { needsAuth: false });
const REF = sessionRef('default', { id: 'jwt:user' }, 's');

/** A channel whose agent is the test. */
class FakeChannel {
  open = true;
  /** The agent's ends of the resolver's streams. */
  readonly resolvers: Duplex[] = [];
  refusal: Error | null = null;
  offer!: (offer: StreamOffer) => void;
  close!: () => void;
  readonly closed = new Promise<void>((resolve) => {
    this.close = () => {
      this.open = false;
      resolve();
    };
  });

  async openStream() {
    if (this.refusal !== null) throw this.refusal;
    const [stream, agent] = duplexPair() as [Duplex, Duplex];
    for (const each of [stream, agent]) each.on('error', () => undefined);
    agent.setEncoding('utf8');
    this.resolvers.push(agent);
    return { stream, facts: {} };
  }

  onStream(handler: (offer: StreamOffer) => void): void {
    this.offer = handler;
  }

  async ask(name: string): Promise<unknown> {
    const agent = this.resolvers.at(-1)!;
    agent.write(`${JSON.stringify({ name })}\n`);
    const [line] = await once(agent, 'data');
    return JSON.parse(line as string);
  }

  /** Offers a connection. Resolves with the program's end, or with the code of the refusal. */
  connect(name: unknown, port: unknown, kind = 'outgoing'): Promise<Duplex | string> {
    return new Promise((resolve) => {
      const accept = () => {
        const [stream, program] = duplexPair() as [Duplex, Duplex];
        for (const each of [stream, program]) each.on('error', () => undefined);
        stream.once('close', () => program.destroy());
        resolve(program);
        return stream;
      };
      this.offer({
        header: { kind, name, port },
        accept,
        refuse: (error: StreamError) => resolve(error.message),
      } as unknown as StreamOffer);
    });
  }
}

describe('SandboxNetwork', () => {
  let store: SessionStore;
  let outgoing: OutgoingNetwork;
  let channel: FakeChannel;
  let record: SessionRecord;
  let network: SandboxNetwork;
  let server: Server;
  let came: Socket[];

  beforeEach(async () => {
    came = [];
    server = createServer((socket) => came.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    channel?.close();
    server.close();
    for (const socket of came) socket.destroy();
  });

  async function begin(allow: string[] | null = ['a.org', 'b.org:9000'], more: Record<string, string> = {}): Promise<void> {
    const config = configOf(more);
    store = createSessionStore(config);
    outgoing = new OutgoingNetwork(config, store);
    outgoing.resolveName = async (name) => {
      if (name === 'private.a.org') return { state: 'private', address: '10.0.0.1' };
      return name === 'missing.a.org' ? { state: 'absent' } : { state: 'found', addresses: ['192.0.2.1'] };
    };
    outgoing.connectTo = async () => {
      const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
      await once(socket, 'connect');
      return socket;
    };
    const options = allow === null ? {} : { network: { allow } };
    const begun = await store.beginCall(REF, { callId: 'c', deadline: store.now() + 60_000 }, store.now(), options);
    if (begun.state !== 'live') throw new Error(begun.state);
    record = begun.record;
    channel = new FakeChannel();
    network = new SandboxNetwork(outgoing, record, channel as unknown as Channel);
    await network.follow(record);
  }

  const denials = async () => (await network.denialsSince(0)).map(({ host, port, reason, rule }) => ({ host, port, reason, rule }));

  it('starts the resolver when the rules allow something, and only then', async () => {
    await begin();
    expect(channel.resolvers).toHaveLength(1);
    await begin(null);
    expect(channel.resolvers).toHaveLength(0);
    await begin([]);
    expect(channel.resolvers).toHaveLength(0);
  });

  it('names the ports of a name when it is allowed, and those on which to say why not', async () => {
    await begin();
    expect(await channel.ask('a.org')).toEqual({ name: 'a.org', ports: [80, 443, 22] });
    expect(await channel.ask('b.org')).toEqual({ name: 'b.org', ports: [9000, 22, 80, 443] });
    expect(await denials()).toEqual([]);
  });

  it.each([
    ['no rule has it', 'c.org', { host: 'c.org', port: null, reason: 'name_not_allowed', rule: 'c.org' }],
    ['it leads to a private address', 'private.a.org', { host: 'private.a.org', port: null, reason: 'private_address' }],
  ])('refuses a name and tells of it when %s', async (_when, name, denial) => {
    await begin(['*.a.org']);
    expect(await channel.ask(name)).toEqual({ name, refused: true });
    expect(await denials()).toEqual([{ rule: undefined, ...denial }]);
  });

  it('refuses a name and tells of nothing when it does not exist', async () => {
    await begin(['*.a.org']);
    expect(await channel.ask('missing.a.org')).toEqual({ name: 'missing.a.org', refused: true });
    expect(await denials()).toEqual([]);
  });

  it('refuses a further name when 256 have an address', async () => {
    await begin(['*.a.org']);
    for (let n = 0; n < 256; n++) expect(await channel.ask(`n${n}.a.org`)).toHaveProperty('ports');
    expect(await channel.ask('more.a.org')).toEqual({ name: 'more.a.org', refused: true });
    expect(await channel.ask('n7.a.org')).toHaveProperty('ports');
    expect(await denials()).toEqual([{ host: 'more.a.org', port: null, reason: 'too_many_names', rule: undefined }]);
  });

  it('carries a connection when its name and port are allowed', async () => {
    await begin();
    const program = (await channel.connect('b.org', 9000)) as Duplex;
    program.write('hello');
    await once(server, 'connection').catch(() => undefined);
    expect(typeof program).toBe('object');
  });

  it.each([
    ['its name is not allowed', 'c.org', 443, 'name_not_allowed'],
    ['its port is not allowed', 'a.org', 22, 'port_not_allowed'],
    ['its name is none', 'A.org', 443, 'Nobody takes such a stream here.'],
    ['its port is none', 'a.org', '443', 'Nobody takes such a stream here.'],
  ])('refuses a connection when %s', async (_when, name, port, message) => {
    await begin();
    expect(await channel.connect(name, port)).toBe(message);
    expect(came).toHaveLength(0);
  });

  it('refuses a stream of another kind', async () => {
    await begin();
    expect(await channel.connect('a.org', 443, 'accepted')).toBe('Nobody takes such a stream here.');
  });

  it('cuts what is not allowed any more, and keeps the rest, when the rules change', async () => {
    await begin();
    const cut = (await channel.connect('b.org', 9000)) as Duplex;
    const kept = (await channel.connect('a.org', 443)) as Duplex;
    const ended = once(cut, 'close');
    cut.resume();
    await store.updateSession(REF.key, { network: { allow: ['a.org'] } }, store.now());
    await network.readRules();
    await ended;
    expect(kept.destroyed).toBe(false);
    expect(await channel.connect('b.org', 9000)).toBe('name_not_allowed');
    expect(await channel.ask('b.org')).toEqual({ name: 'b.org', refused: true });
  });

  it('follows the store and not the record of a call when that one is older', async () => {
    await begin();
    await store.updateSession(REF.key, { network: { allow: [] } }, store.now());
    await network.readRules();
    await network.follow(record);
    expect(await channel.connect('a.org', 443)).toBe('name_not_allowed');
  });

  it('ends the resolver when the rules allow nothing, and starts it when they do again', async () => {
    await begin();
    const ended = once(channel.resolvers[0]!, 'end');
    channel.resolvers[0]!.resume();
    await store.updateSession(REF.key, { network: { allow: [] } }, store.now());
    await network.readRules();
    await ended;
    channel.resolvers[0]!.end();
    await store.updateSession(REF.key, { network: { allow: ['a.org'] } }, store.now());
    await network.readRules();
    while (channel.resolvers.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it('asks for the resolver again when another process has it', async () => {
    await begin([]);
    channel.refusal = new StreamError('ADDRESS_IN_USE', 'taken');
    await store.updateSession(REF.key, { network: { allow: ['a.org'] } }, store.now());
    await network.readRules();
    expect(channel.resolvers).toHaveLength(0);
    channel.refusal = null;
    while (channel.resolvers.length < 1) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it('refuses a connection when its rules are old and the store is away', async () => {
    await begin();
    store.getSession = () => Promise.reject(new Error('away'));
    network['rulesAt'] = -Infinity;
    expect(await channel.connect('a.org', 443)).toBe('The rules of the session cannot be read.');
    expect(await channel.ask('a.org')).toEqual({ name: 'a.org', failed: true });
  });

  it('refuses a connection when the session has as many as it may', async () => {
    await begin(['b.org:9000']);
    // The pace of new connections is another limit.
    network['pace'].take = () => true;
    for (let n = 0; n < 128; n++) expect(typeof (await channel.connect('b.org', 9000))).toBe('object');
    expect(await channel.connect('b.org', 9000)).toBe('too_many_connections');
  });

  it('refuses a connection when too many are new', async () => {
    await begin(['b.org:9000']);
    network['pace'].take = () => false;
    expect(await channel.connect('b.org', 9000)).toBe('too_many_new_connections');
    expect(outgoing.totals.denied).toEqual({ too_many_new_connections: 1 });
  });

  it('cuts its connections and refuses others when the session has moved its bytes', async () => {
    await begin(['b.org:9000'], { EGRESS_MAX_BYTES: '1000' });
    const program = (await channel.connect('b.org', 9000)) as Duplex;
    const ended = once(program, 'close');
    program.resume().write(Buffer.alloc(2_000));
    await ended;
    expect(await channel.connect('b.org', 9000)).toBe('byte_limit');
  });
});
