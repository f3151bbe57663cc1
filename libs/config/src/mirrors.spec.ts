import { ConfigError, loadConfig } from '@sandbox/config';

const configOf = (mirrors: string, more: NodeJS.ProcessEnv = {}) =>
  loadConfig({ SESSION_STORE: 'memory', EGRESS_MIRRORS: mirrors, ...more }, { needsAuth: false });

function problemOf(mirrors: string): string {
  try {
    configOf(mirrors);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  return '';
}

const texts = (rules: readonly { text: string }[]): string[] => rules.map(({ text }) => text);

describe('EGRESS_MIRRORS', () => {
  it('has one URL for each ecosystem when they are given, and the rules that they need', () => {
    const { EGRESS_MIRRORS } = configOf(
      ' pypi=https://p.example.com/root/pypi/+simple/ , npm = https://N.example.com, go=http://mirror:8080/go,cargo=https://n.example.com:8443/a%2Fb,maven=https://n.example.com/m2,',
    );
    expect(EGRESS_MIRRORS.urls).toEqual({
      pypi: 'https://p.example.com/root/pypi/+simple/',
      npm: 'https://n.example.com/',
      go: 'http://mirror:8080/go',
      cargo: 'https://n.example.com:8443/a%2Fb',
      maven: 'https://n.example.com/m2',
    });
    expect(texts(EGRESS_MIRRORS.rules)).toEqual(['p.example.com:443', 'n.example.com:443', 'mirror:8080', 'n.example.com:8443']);
  });

  it.each([
    ['a name alone', 'npm'],
    ['a URL alone', 'https://secret.example.com/'],
    ['an ecosystem that is not known', 'ruby=https://secret.example.com/'],
    ['an ecosystem in upper case', 'NPM=https://secret.example.com/'],
    ['an ecosystem twice', 'npm=https://a.example.com/,npm=https://secret.example.com/'],
    ['nothing for a URL', 'npm='],
    ['another scheme', 'npm=file:///secret'],
    ['no scheme', 'npm=secret.example.com'],
    ['a user and a password', 'npm=https://user:secret@example.com/'],
    ['a user', 'npm=https://secret@example.com/'],
    ['a query', 'npm=https://example.com/?token=secret'],
    ['an empty query', 'npm=https://secret.example.com/?'],
    ['a fragment', 'npm=https://example.com/#secret'],
    ['a quote in the path', 'npm=https://example.com/secret"'],
    ['a dollar in the path', 'npm=https://example.com/$secret'],
    ['an ampersand in the path', 'npm=https://example.com/secret&b'],
    ['an address', 'npm=https://10.1.2.3/secret'],
    ['an address in another spelling', 'npm=https://0x0a010203/secret'],
    ['an IPv6 address', 'npm=https://[fd00::1]/secret'],
    ['the sandbox itself', 'npm=http://localhost:4873/secret'],
    ['the sandbox itself by a name below', 'npm=http://secret.localhost:4873/'],
    ['a port that is none', 'npm=https://secret.example.com:99999/'],
    ['a URL that is too long', `npm=https://example.com/secret${'a'.repeat(300)}`],
  ])('is refused, without a word of its value, when it has %s', (_what, mirrors) => {
    expect(problemOf(mirrors)).toMatch(/^EGRESS_MIRRORS has an entry that is wrong, number [12]: /);
    expect(problemOf(mirrors)).not.toContain('secret');
  });

  it('lets every session reach the mirrors when nothing else is allowed', () => {
    const config = configOf('npm=https://n.example.com/');
    expect([texts(config.EGRESS_ALLOW), texts(config.EGRESS_DEFAULT)]).toEqual([['n.example.com:443'], ['n.example.com:443']]);
  });

  it('adds the mirrors to what is allowed when there is more', () => {
    const config = configOf('npm=https://n.example.com/', { EGRESS_ALLOW: 'git,n.example.com:443', EGRESS_DEFAULT: 'git' });
    expect(texts(config.EGRESS_ALLOW)).toEqual(['git', 'n.example.com:443']);
    expect(texts(config.EGRESS_DEFAULT)).toEqual(['git', 'n.example.com:443']);
  });

  it('counts the memory of its files when the limit is close', () => {
    // 64m + 128m + 16m + 4m + 32m
    expect(() => configOf('npm=https://n.example.com/', { CONTAINER_MEM_LIMIT: '244m' })).not.toThrow();
    expect(() => configOf('npm=https://n.example.com/', { CONTAINER_MEM_LIMIT: '243m' })).toThrow(/4m for EGRESS_MIRRORS/);
  });
});
