import { networkInterfaces } from 'node:os';
import { isPublic, parseCidrs } from './addresses';

const NONE = parseCidrs([]);
const NOT_OURS = new Set<string>();

describe('isPublic', () => {
  it.each([
    ['1.1.1.1'],
    ['8.8.8.8'],
    ['9.255.255.255'],
    ['11.0.0.0'],
    ['100.63.255.255'],
    ['100.128.0.0'],
    ['126.255.255.255'],
    ['128.0.0.0'],
    ['151.101.0.223'],
    ['168.63.129.15'],
    ['168.63.129.17'],
    ['172.15.255.255'],
    ['172.32.0.0'],
    ['192.167.255.255'],
    ['192.169.0.0'],
    ['223.255.255.255'],
    ['2606:4700::1111'],
    ['2001:4860:4860::8888'],
    ['2a04:4e42::223'],
    ['2001:200::'],
    ['2003::'],
    ['3ffe:ffff::1'],
  ])('allows %s', (address) => {
    expect(isPublic(address, NONE, NOT_OURS)).toBe(true);
  });

  it.each([
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'this network'],
    ['10.0.0.1', 'private'],
    ['10.255.255.255', 'private'],
    ['100.64.0.1', 'CGNAT'],
    ['100.100.100.200', 'metadata of Alibaba Cloud, CGNAT'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['168.63.129.16', 'metadata of Azure'],
    ['169.254.169.254', 'metadata, link-local'],
    ['169.254.170.2', 'metadata of containers, link-local'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.0.0.192', 'metadata of Oracle Cloud, reserved'],
    ['192.0.2.1', 'documentation'],
    ['192.88.99.1', '6to4 relay'],
    ['192.168.0.1', 'private'],
    ['198.18.0.1', 'benchmarks'],
    ['198.19.255.255', 'benchmarks'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.80', 'documentation'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::ffff:10.0.0.1', 'mapped private'],
    ['::ffff:8.8.8.8', 'mapped'],
    ['::ffff:7f00:1', 'mapped loopback'],
    ['::8.8.8.8', 'IPv4-compatible'],
    ['::ffff:0:8.8.8.8', 'translated (SIIT)'],
    ['64:ff9b::8.8.8.8', 'NAT64'],
    ['64:ff9b:1::1', 'local NAT64'],
    ['100::1', 'discard'],
    ['2001::1', 'Teredo'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo'],
    ['2001:2::1', 'benchmarks'],
    ['2001:10::1', 'ORCHID'],
    ['2001:20::1', 'ORCHIDv2'],
    ['2001:1ff:ffff::1', 'IETF protocols'],
    ['2001:db8::1', 'documentation'],
    ['2002:a00:1::1', '6to4 of 10.0.0.1'],
    ['2002:808:808::1', '6to4'],
    ['3fff::1', 'documentation'],
    ['4000::1', 'unassigned'],
    ['5f00::1', 'segment routing'],
    ['fc00::1', 'unique local'],
    ['fd00:ec2::254', 'metadata of AWS, unique local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%lo', 'link-local with a zone'],
    ['2606:4700::1111%lo', 'with a zone'],
    ['fec0::1', 'site-local'],
    ['ff02::1', 'multicast'],
    ['', 'no address'],
    ['pypi.org', 'a name'],
    ['8.8.8.8 ', 'with a blank'],
    ['8.8.8', 'a short form'],
    ['010.8.8.8', 'an octal form'],
    ['0x8.8.8.8', 'a hexadecimal form'],
    ['134744072', 'a decimal form'],
    ['[::1]', 'in brackets'],
  ])('refuses %s, which is %s', (address) => {
    expect(isPublic(address, NONE, NOT_OURS)).toBe(false);
  });

  it.each([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.4', '10.1.2.3', false],
    ['10.1.2.4', '10.1.2.3/24', true],
    ['127.0.0.1', '127.0.0.0/8', true],
    ['203.0.113.80', '203.0.113.80/32', true],
    ['169.254.169.254', '10.0.0.0/8', false],
    ['fd12::1', 'fd00::/8', true],
    ['fe12::1', 'fd00::/8', false],
    ['::ffff:10.0.0.1', '10.0.0.0/8', false],
    ['10.0.0.1', '::ffff:10.0.0.0/104', false],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.0/104', true],
    ['not an address', '0.0.0.0/0', false],
  ])('says of %s, with the exception %s, %s', (address, exception, allowed) => {
    expect(isPublic(address, parseCidrs([exception]), NOT_OURS)).toBe(allowed);
  });

  it('refuses a public address when it is this machine’s, unless it is excepted', () => {
    const own = new Set(['8.8.8.8', '2606:4700::1111']);
    expect([isPublic('8.8.8.8', NONE, own), isPublic('8.8.8.9', NONE, own)]).toEqual([false, true]);
    expect([isPublic('2606:4700:0::1111', NONE, own), isPublic('2606:4700::1112', NONE, own)]).toEqual([false, true]);
    expect(isPublic('8.8.8.8', parseCidrs(['8.8.8.8']), own)).toBe(true);
  });

  it('refuses every address of this machine when it finds them itself', () => {
    const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses!.map(({ address }) => address));
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter((address) => isPublic(address, NONE))).toEqual([]);
    expect(isPublic('1.1.1.1', NONE)).toBe(true);
  });
});

describe('parseCidrs', () => {
  it.each([
    ['10.0.0.0/33'],
    ['fd00::/129'],
    ['10.0.0.0/'],
    ['10.0.0.0/-1'],
    ['10.0.0.0/8/8'],
    ['10.0.0/8'],
    ['010.0.0.0/8'],
    ['/8'],
    [''],
    ['mirror.example'],
    ['fe80::%eth0/64'],
    ['10.0.0.0/255.0.0.0'],
    ['10.0.0.1-10.0.0.9'],
  ])('refuses %j, and names it', (text) => {
    expect(() => parseCidrs(['10.0.0.0/8', text])).toThrow(
      `${JSON.stringify(text)} is neither an IP address nor a network such as 10.0.0.0/8`,
    );
  });

  it('takes 256 entries and refuses one more', () => {
    const many = Array.from({ length: 257 }, (_, index) => `10.0.${index % 256}.0/24`);
    expect(parseCidrs(many.slice(1))).toHaveLength(256);
    expect(() => parseCidrs(many)).toThrow('at most 256');
  });
});
