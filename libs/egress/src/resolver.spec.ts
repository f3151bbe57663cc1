import { isPublic, parseCidrs } from './addresses';
import { createNameResolver, type NameResolver, type Turns } from './resolver';
import { type DnsReply, type DnsServer, startDnsServer } from '../../../test/support/network/dns-server';

const NONE = parseCidrs([]);
const isAllowedAddress = (address: string): boolean => isPublic(address, NONE, new Set());
/** Lets everything in at once. */
const AT_ONCE: Turns = { runLimited: (_asker, task) => task() };

const a = (...addresses: string[]): DnsReply => ({ records: addresses.map((data) => ({ type: 'A', data })) });
const aaaa = (...addresses: string[]): DnsReply => ({ records: addresses.map((data) => ({ type: 'AAAA', data })) });
const EMPTY: DnsReply = { records: [] };
const NXDOMAIN: DnsReply = { records: [], code: 3 };
const SERVFAIL: DnsReply = { records: [], code: 2 };
const found = (...addresses: string[]): object => ({ state: 'found', addresses });

describe('createNameResolver', () => {
  let server: DnsServer;
  let answer: (name: string, type: string) => DnsReply | Promise<DnsReply>;
  let isTruncated: (name: string) => boolean;
  let resolver: NameResolver;
  const resolve = (name: string): ReturnType<NameResolver['resolve']> => resolver.resolve(name, 'alice');
  const open = (turns = AT_ONCE): NameResolver => createNameResolver({ servers: [server.address], isAllowedAddress, turns });

  beforeEach(async () => {
    answer = () => EMPTY;
    isTruncated = () => false;
    server = await startDnsServer(
      (name, type) => answer(name, type),
      (name) => isTruncated(name),
    );
    resolver = open();
  });
  afterEach(() => server.close());

  it.each<[when: string, ipv4: DnsReply, ipv6: DnsReply, resolution: object]>([
    ['it has an IPv4 address', a('1.1.1.1'), EMPTY, found('1.1.1.1')],
    ['it has an IPv6 address', EMPTY, aaaa('2606:4700::1111'), found('2606:4700::1111')],
    [
      'it has several of both',
      a('1.1.1.1', '1.0.0.1', '8.8.8.8'),
      aaaa('2606:4700::1111'),
      found('1.1.1.1', '2606:4700::1111', '1.0.0.1', '8.8.8.8'),
    ],
    ['one type is refused by the server', a('1.1.1.1'), SERVFAIL, found('1.1.1.1')],
    ['one type is said to be absent', a('1.1.1.1'), NXDOMAIN, found('1.1.1.1')],
    ['it does not exist', NXDOMAIN, NXDOMAIN, { state: 'absent' }],
    ['it has no address', EMPTY, EMPTY, { state: 'absent' }],
    ['the server fails', SERVFAIL, SERVFAIL, { state: 'failed' }],
    ['the server fails for one type and has none of the other', SERVFAIL, EMPTY, { state: 'failed' }],
    ['its address is loopback', a('127.0.0.1'), EMPTY, { state: 'private', address: '127.0.0.1' }],
    ['its address is private', a('10.0.0.1'), EMPTY, { state: 'private', address: '10.0.0.1' }],
    ['its address is metadata', a('169.254.169.254'), EMPTY, { state: 'private', address: '169.254.169.254' }],
    ['its address is mapped', EMPTY, aaaa('::ffff:10.0.0.1'), { state: 'private', address: '::ffff:10.0.0.1' }],
    ['one of its addresses is private', a('1.1.1.1', '10.0.0.1', '8.8.8.8'), EMPTY, { state: 'private', address: '10.0.0.1' }],
    ['its IPv6 address is private and its IPv4 address is not', a('1.1.1.1'), aaaa('fd00::1'), { state: 'private', address: 'fd00::1' }],
    [
      'its IPv4 address is private and its IPv6 address is not',
      a('192.168.0.1'),
      aaaa('2606:4700::1111'),
      { state: 'private', address: '192.168.0.1' },
    ],
  ])('answers when %s', async (_when, ipv4, ipv6, resolution) => {
    answer = (_name, type) => (type === 'A' ? ipv4 : ipv6);
    expect(await resolve('a.example')).toEqual(resolution);
  });

  it('gives at most sixteen addresses, and checks all of them', async () => {
    const many = Array.from({ length: 20 }, (_, index) => `1.1.1.${index}`);
    answer = (name, type) => (type === 'A' ? a(...many, ...(name === 'b.example' ? ['10.0.0.1'] : [])) : EMPTY);
    expect(await resolve('a.example')).toEqual(found(...many.slice(0, 16)));
    expect(await resolve('b.example')).toEqual({ state: 'private', address: '10.0.0.1' });
  });

  it('follows an alias, and checks where it leads', async () => {
    answer = (name, type) => {
      if (type !== 'A') return EMPTY;
      const to = name === 'inside.example' ? '10.0.0.1' : '1.1.1.1';
      return {
        records: [
          { type: 'CNAME', data: 'cdn.example' },
          { name: 'cdn.example', type: 'A', data: to },
        ],
      };
    };
    expect(await resolve('outside.example')).toEqual(found('1.1.1.1'));
    expect(await resolve('inside.example')).toEqual({ state: 'private', address: '10.0.0.1' });
  });

  it('asks again by TCP when the answer does not fit', async () => {
    isTruncated = () => true;
    answer = (_name, type) => (type === 'A' ? a('1.1.1.1') : EMPTY);
    expect(await resolve('a.example')).toEqual(found('1.1.1.1'));
    expect(server.questions).toContain('A a.example by TCP');
  });

  it('takes what is there when the server never answers one type', async () => {
    answer = (_name, type) => (type === 'A' ? a('1.1.1.1') : undefined);
    expect(await resolve('a.example')).toEqual(found('1.1.1.1'));
  });

  it('fails when the server never answers', async () => {
    answer = () => undefined;
    expect(await Promise.all([resolve('a.example'), resolve('b.example')])).toEqual([{ state: 'failed' }, { state: 'failed' }]);
  });

  it('fails when no server is there', async () => {
    const gone = await startDnsServer(() => EMPTY);
    gone.close();
    resolver = createNameResolver({ servers: [gone.address], isAllowedAddress, turns: AT_ONCE });
    expect(await resolve('a.example')).toEqual({ state: 'failed' });
  });

  it('asks once when many ask for a name at once, and not again while it remembers', async () => {
    answer = async (_name, type) => (type === 'A' ? a('1.1.1.1') : EMPTY);
    const all = await Promise.all(Array.from({ length: 100 }, () => resolve('a.example')));
    expect(new Set(all).size).toBe(1);
    expect(await resolve('a.example')).toEqual(found('1.1.1.1'));
    expect(server.questions.sort()).toEqual(['A a.example', 'AAAA a.example']);
  });

  it('gives a public address or none when a name has a public and a private one in turn', async () => {
    let asked = 0;
    answer = (_name, type) =>
      type === 'AAAA' ? EMPTY : { records: [{ type: 'A', data: asked++ % 2 === 0 ? '1.1.1.1' : '127.0.0.1', ttl: 0 }] };
    const states = new Set<string>();
    for (let look = 0; states.size < 2 && look < 200; look++) {
      const resolution = await resolve('a.example');
      states.add(resolution.state);
      expect([found('1.1.1.1'), { state: 'private', address: '127.0.0.1' }]).toContainEqual(resolution);
      await new Promise((done) => setTimeout(done, 50));
    }
    expect([...states].sort()).toEqual(['found', 'private']);
  });

  it('asks again when the time of a failure is over', async () => {
    let [is, asked]: [DnsReply, number] = [SERVFAIL, 0];
    answer = (_name, type) => (type === 'A' ? (asked++, is) : EMPTY);
    expect(await resolve('a.example')).toEqual({ state: 'failed' });
    is = a('1.1.1.1');
    const before = asked;
    expect(await resolve('a.example')).toEqual({ state: 'failed' });
    expect(asked).toBe(before);
    for (let look = 0; (await resolve('a.example')).state === 'failed' && look < 200; look++)
      await new Promise((done) => setTimeout(done, 50));
    expect(await resolve('a.example')).toEqual(found('1.1.1.1'));
  });

  it('remembers at most 4,096 names', async () => {
    answer = (_name, type) => (type === 'A' ? a('1.1.1.1') : EMPTY);
    for (let from = 0; from <= 4_096; from += 64) {
      await Promise.all(Array.from({ length: 64 }, (_, index) => resolve(`a${from + index}.example`)));
    }
    server.questions.length = 0;
    await resolve('a4159.example');
    expect(server.questions).toEqual([]);
    await resolve('a0.example');
    expect(server.questions.sort()).toEqual(['A a0.example', 'AAAA a0.example']);
  });

  it('asks in turns, on behalf of the asker, and gives a turn back when the servers have answered', async () => {
    const log: string[] = [];
    const turns: Turns = {
      runLimited: async (asker, task) => {
        log.push(`${asker} begins`);
        const result = await task();
        log.push(`${asker} ends`);
        return result;
      },
    };
    resolver = open(turns);
    answer = (_name, type) => (type === 'A' ? a('1.1.1.1') : EMPTY);
    expect(await resolver.resolve('a.example', 'bob')).toEqual(found('1.1.1.1'));
    expect(await resolver.resolve('a.example', 'carol')).toEqual(found('1.1.1.1'));
    expect(log).toEqual(['bob begins', 'bob ends']);
  });

  it('fails when there is no turn', async () => {
    const full: Turns = { runLimited: () => Promise.reject(new Error('full')) };
    expect(await open(full).resolve('a.example', 'alice')).toEqual({ state: 'failed' });
  });

  it('fails when no turn comes in time, and leaves the queue', async () => {
    let hasLeft = false;
    const endless: Turns = {
      runLimited: (_asker, _task, signal) =>
        new Promise(() => {
          signal!.addEventListener('abort', () => (hasLeft = true));
        }),
    };
    expect(await open(endless).resolve('a.example', 'alice')).toEqual({ state: 'failed' });
    expect(hasLeft).toBe(true);
    expect(server.questions).toEqual([]);
  });

  it('fails when the check of an address fails', async () => {
    answer = () => a('1.1.1.1');
    const broken = (): boolean => {
      throw new Error('broken');
    };
    const one = createNameResolver({ servers: [server.address], isAllowedAddress: broken, turns: AT_ONCE });
    expect(await one.resolve('a.example', 'alice')).toEqual({ state: 'failed' });
  });
});
