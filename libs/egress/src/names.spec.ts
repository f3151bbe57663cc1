import { normalizeName } from './names';

const LONGEST = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;

describe('normalizeName', () => {
  it.each([
    ['pypi.org', 'pypi.org'],
    ['PyPI.ORG', 'pypi.org'],
    ['pypi.org.', 'pypi.org'],
    ['mirror', 'mirror'],
    ['a-b.c_d', 'a-b.c_d'],
    ['_http._tcp.deb.debian.org', '_http._tcp.deb.debian.org'],
    ['-a-.example', '-a-.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example.', 'xn--bcher-kva.example'],
    ['bücher。example', 'xn--bcher-kva.example'],
    ['ｐｙｐｉ.org', 'pypi.org'],
    ['1.2.3.4.example', '1.2.3.4.example'],
    ['127.0.0.1.nip.io', '127.0.0.1.nip.io'],
    ['0x7f.example', '0x7f.example'],
    ['a.1b', 'a.1b'],
    [LONGEST, LONGEST],
    [`${LONGEST}.`, LONGEST],
  ])('brings %j into the form %j', (text, name) => {
    expect(normalizeName(text)).toBe(name);
  });

  it.each([
    ['', 'it is empty'],
    ['.', 'it is the root'],
    ['a..b', 'a label is empty'],
    ['.a', 'the first label is empty'],
    ['a..', 'it has two final dots'],
    ['é..b', 'a label beside Unicode is empty'],
    [`${LONGEST}e`, 'it has 254 characters'],
    ['a'.repeat(300), 'it has 300 characters'],
    [`${'a'.repeat(64)}.example`, 'a label has 64 characters'],
    [`é.${'a'.repeat(64)}`, 'a label beside Unicode has 64 characters'],
    ['é'.repeat(200), 'its ASCII form is too long'],
    ['pypi.org\0', 'it has a NUL'],
    ['pypi.org\0.evil.example', 'it has a NUL within'],
    ['pypi.org\n', 'it has a line feed'],
    [' pypi.org', 'it has a blank'],
    ['é pypi.org', 'it has a blank beside Unicode'],
    ['pypi.org:443', 'it has a port'],
    ['https://pypi.org', 'it is a URL'],
    ['pypi.org/é', 'it has a path'],
    ['user@pypi.org', 'it has a user'],
    ['a%2eb', 'it is percent-encoded'],
    ['é%2eb', 'it is percent-encoded beside Unicode'],
    ['*.pypi.org', 'it is a pattern'],
    ['a,b', 'it has a comma'],
    ['é[b', 'it has a bracket beside Unicode'],
    ['é`b', 'it has a backquote beside Unicode'],
    ['a\u200db', 'it has an invisible character that UTS 46 refuses'],
    ['\ud800.example', 'it has a lone surrogate'],
    ['127.0.0.1', 'it is an IPv4 address'],
    ['127.0.0.1.', 'it is an IPv4 address with a final dot'],
    ['１２７.0.0.1', 'it is an IPv4 address with wide digits'],
    ['127。0。0。1', 'it is an IPv4 address with wide dots'],
    ['127.1', 'it is a short IPv4 address'],
    ['2130706433', 'it is a decimal IPv4 address'],
    ['0x7f000001', 'it is a hexadecimal IPv4 address'],
    ['0X7F.1', 'it is a mixed IPv4 address'],
    ['0x', 'it is 0x, which some take for zero'],
    ['017700000001', 'it is an octal IPv4 address'],
    ['1.2.3.4.5', 'it ends in a number'],
    ['example.0x10', 'it ends in a hexadecimal number'],
    ['::1', 'it is an IPv6 address'],
    ['[::1]', 'it is an IPv6 address in brackets'],
    ['::ffff:10.0.0.1', 'it is a mapped address'],
    ['fe80::1%eth0', 'it is an IPv6 address with a zone'],
  ])('refuses %j because %s', (text) => {
    expect(normalizeName(text)).toBeNull();
  });

  it('accepts no other ASCII character when each is tried alone and beside Unicode', () => {
    const accepted = (around: string): string =>
      Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
        .filter((character) => normalizeName(`a${character}${around}`) !== null)
        .join('');
    const expected = '-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
    expect(accepted('b')).toBe(expected);
    expect(accepted('é')).toBe(expected);
  });
});
