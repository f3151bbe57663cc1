import { PRESETS } from './presets';
import { allows, parseRules, portsOf, ruleFor, uncovered } from './rules';

const texts = (...given: string[]): string[] => parseRules(given).map((rule) => rule.text);

describe('parseRules', () => {
  it.each([
    ['pypi.org', 'pypi.org'],
    [' PyPI.org. ', 'pypi.org'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['*.Example.org', '*.example.org'],
    ['*.bücher.example.:22', '*.xn--bcher-kva.example:22'],
    ['mirror:3142', 'mirror:3142'],
    ['example.org:1', 'example.org:1'],
    ['example.org:65535', 'example.org:65535'],
    ['*', '*'],
    ['*:443', '*:443'],
    ['*.org', '*.org'],
    ['packages', 'packages'],
    [' Git ', 'git'],
    ['*.git', '*.git'],
    ['git.example.org', 'git.example.org'],
  ])('brings %j into the form %j', (text, form) => {
    expect(texts(text)).toEqual([form]);
  });

  it('keeps a rule once and in order when it is given in two spellings', () => {
    expect(texts('b.example', 'a.example', 'B.example.', 'a.example:443', 'packages', 'PACKAGES')).toEqual([
      'b.example',
      'a.example',
      'a.example:443',
      'packages',
    ]);
  });

  it.each([
    ['', 'names no host'],
    [':443', 'names no host'],
    ['https://pypi.org', 'is a URL or a range'],
    ['pypi.org/simple', 'is a URL or a range'],
    ['10.0.0.0/8', 'is a URL or a range'],
    ['10.0.0.1', 'is an address'],
    ['10.0.0.1:443', 'is an address'],
    ['0x7f.1', 'is an address'],
    ['::1', 'is an address'],
    ['[::1]:443', 'is an address'],
    ['::ffff:10.0.0.1', 'is an address'],
    ['pypi.org:', 'its port is no number from 1 to 65535'],
    ['pypi.org:0', 'its port is no number from 1 to 65535'],
    ['pypi.org:65536', 'its port is no number from 1 to 65535'],
    ['pypi.org:0443', 'its port is no number from 1 to 65535'],
    ['pypi.org:443,80', 'its port is no number from 1 to 65535'],
    ['pypi.org:*', 'its port is no number from 1 to 65535'],
    ['*pypi.org', '"*" stands alone or before the first dot'],
    ['a.*.org', '"*" stands alone or before the first dot'],
    ['*.*.org', '"*" stands alone or before the first dot'],
    ['*.', '"*" stands alone or before the first dot'],
    ['**', '"*" stands alone or before the first dot'],
    ['a b.org', 'is no host name'],
    ['pypi.org\0', 'is no host name'],
    ['a..b', 'is no host name'],
    ['packages:443', 'is a preset, which takes no port and no final dot'],
    ['git.', 'is a preset, which takes no port and no final dot'],
    ['a'.repeat(301), 'has more than 300 characters'],
  ])('refuses %j because it %s', (text, why) => {
    expect(() => parseRules(['pypi.org', text])).toThrow(why);
    expect(() => parseRules(['pypi.org', text])).toThrow(JSON.stringify(text.slice(0, 80)));
  });

  it('takes 256 rules and refuses one more', () => {
    const many = Array.from({ length: 257 }, (_, index) => `a${index}.example`);
    expect(parseRules(many.slice(1))).toHaveLength(256);
    expect(() => parseRules(many)).toThrow('there are 257 rules, and at most 256 may be given');
  });

  it('reads a rule that an answer named, as the same rule', () => {
    const given = ['packages', '*.example.org:22', 'a.example', '*'];
    expect(texts(...texts(...given))).toEqual(given);
  });
});

describe('what rules allow', () => {
  it.each<[rules: string[], name: string, ports: number[]]>([
    [['pypi.org'], 'pypi.org', [80, 443]],
    [['pypi.org'], 'a.pypi.org', []],
    [['pypi.org'], 'xpypi.org', []],
    [['pypi.org'], 'org', []],
    [['*.pypi.org'], 'pypi.org', []],
    [['*.pypi.org'], 'a.pypi.org', [80, 443]],
    [['*.pypi.org'], 'a.b.pypi.org', [80, 443]],
    [['*.pypi.org'], 'xpypi.org', []],
    [['*.pypi.org'], 'pypi.org.evil.example', []],
    [['*'], 'mirror', [80, 443]],
    [['*:22'], 'mirror', [22]],
    [['db.example:5432'], 'db.example', [5432]],
    [['db.example:5432', 'db.example', '*.example:443', '*:22'], 'db.example', [22, 80, 443, 5432]],
    [['git'], 'github.com', [22, 80, 443]],
    [['git'], 'release-assets.githubusercontent.com', [22, 80, 443]],
    [['git'], 'pypi.org', []],
    [['packages'], 'github.com', [80, 443]],
    [['packages'], 'keyserver.ubuntu.com', [80, 443, 11371]],
    [['packages'], 'packages', []],
    [[], 'pypi.org', []],
  ])('%j allow %s on the ports %j', (given, name, ports) => {
    const rules = parseRules(given);
    expect(portsOf(rules, name)).toEqual(ports);
    for (const port of [22, 80, 443, 5432, 11371]) expect([port, allows(rules, name, port)]).toEqual([port, ports.includes(port)]);
  });

  it.each([
    ['pypi.org', 443, 'pypi.org'],
    ['pypi.org', 80, 'pypi.org'],
    ['db.example', 5432, 'db.example:5432'],
    ['mirror', 22, 'mirror:22'],
  ])('%s is allowed on port %i by the rule that is named for it', (name, port, rule) => {
    expect(ruleFor(name, port)).toBe(rule);
    expect(allows(parseRules([rule]), name, port)).toBe(true);
  });
});

describe('uncovered', () => {
  it.each<[asked: string[], bound: string[], left: string[]]>([
    [[], [], []],
    [['pypi.org'], [], ['pypi.org']],
    [['pypi.org'], ['pypi.org'], []],
    [['pypi.org'], ['PyPI.org.'], []],
    [['pypi.org'], ['*'], []],
    [['*'], ['*'], []],
    [['*'], ['*.org', '*.com'], ['*']],
    [['*:443'], ['*'], []],
    [['*'], ['*:443'], ['*']],
    [['*'], ['*:443', '*:80'], []],
    [['pypi.org'], ['pypi.org:443'], ['pypi.org']],
    [['pypi.org'], ['pypi.org:443', '*.org:80'], []],
    [['pypi.org:22'], ['pypi.org'], ['pypi.org:22']],
    [['a.pypi.org'], ['*.pypi.org'], []],
    [['pypi.org'], ['*.pypi.org'], ['pypi.org']],
    [['xpypi.org'], ['*.pypi.org'], ['xpypi.org']],
    [['*.pypi.org'], ['pypi.org'], ['*.pypi.org']],
    [['*.pypi.org'], ['*.pypi.org'], []],
    [['*.pypi.org'], ['*.org'], []],
    [['*.a.pypi.org'], ['*.pypi.org'], []],
    [['*.org'], ['*.pypi.org'], ['*.org']],
    [['*.pypi.org'], ['a.pypi.org', 'b.pypi.org'], ['*.pypi.org']],
    [['packages'], ['packages'], []],
    [['packages'], ['git'], ['packages']],
    [['git'], ['packages'], ['git']],
    [['packages'], ['*:443'], ['packages']],
    [['packages'], ['*', '*:11371'], []],
    [['git'], ['*'], []],
    [['git'], ['*:22'], []],
    [['git'], ['*:23'], ['git']],
    [['pypi.org', 'registry.npmjs.org:443'], ['packages'], []],
    [['pypi.org:8080', 'github.com', 'evil.example'], ['packages'], ['pypi.org:8080', 'evil.example']],
  ])('of %j within %j leaves %j', (asked, bound, left) => {
    expect(uncovered(parseRules(asked), parseRules(bound))).toEqual(left);
  });
});

describe('the presets', () => {
  const groups = Object.values(PRESETS).flatMap((preset) => preset.groups);

  it('say of each host where it is documented', () => {
    for (const { what, source, rules } of groups) {
      expect([what, source]).toEqual([expect.stringMatching(/\w/), expect.stringMatching(/^https:\/\/[\w.-]+\/\S*$/)]);
      expect(rules.length).toBeGreaterThan(0);
    }
  });

  it('have their rules in the one form, and none twice in a group', () => {
    for (const { rules } of groups) expect(texts(...rules)).toEqual([...rules]);
  });

  // What a tool asks first, and what that redirects to: the hosts that lists of this kind forget.
  it.each([
    ['npm install', 'registry.npmjs.org'],
    ['node-gyp', 'nodejs.org'],
    ['a prebuilt native module', 'github.com', 'release-assets.githubusercontent.com'],
    ['a dependency from GitHub', 'codeload.github.com'],
    ['corepack', 'registry.npmjs.org', 'repo.yarnpkg.com'],
    ['pip install', 'pypi.org', 'files.pythonhosted.org'],
    ['uv python install', 'releases.astral.sh', 'github.com', 'release-assets.githubusercontent.com'],
    ['cargo build', 'index.crates.io', 'static.crates.io'],
    ['rustup', 'sh.rustup.rs', 'static.rust-lang.org'],
    ['go mod download', 'proxy.golang.org', 'sum.golang.org', 'storage.googleapis.com'],
    ['go.dev/dl', 'go.dev', 'dl.google.com'],
    ['mvn', 'repo.maven.apache.org', 'repo1.maven.org'],
    ['gradlew', 'services.gradle.org', 'downloads.gradle.org', 'github.com', 'release-assets.githubusercontent.com'],
    ['a Gradle plugin', 'plugins.gradle.org', 'plugins-artifacts.gradle.org'],
    ['an Android build', 'maven.google.com', 'dl.google.com'],
    ['bundle install', 'rubygems.org', 'index.rubygems.org'],
    ['rbenv install', 'cache.ruby-lang.org'],
    ['apt-get on Debian', 'deb.debian.org', 'security.debian.org', 'snapshot.debian.org'],
    ['apt-get on Ubuntu', 'archive.ubuntu.com', 'de.archive.ubuntu.com', 'us-east-1.ec2.archive.ubuntu.com', 'security.ubuntu.com'],
    ['apt-get on Ubuntu for ARM', 'ports.ubuntu.com'],
    ['a personal archive', 'ppa.launchpadcontent.net', 'keyserver.ubuntu.com', 'api.launchpad.net'],
  ])('packages has what %s asks', (_tool, ...hosts) => {
    for (const host of hosts) expect([host, portsOf(parseRules(['packages']), host)]).toEqual([host, expect.arrayContaining([80, 443])]);
  });

  it.each([
    ['GitHub', 'github.com', 'ssh.github.com', 'codeload.github.com', 'raw.githubusercontent.com', 'objects.githubusercontent.com'],
    ['GitHub’s large files', 'media.githubusercontent.com', 'github-cloud.s3.amazonaws.com', 'github-cloud.githubusercontent.com'],
    ['GitLab', 'gitlab.com', 'altssh.gitlab.com', 'storage.googleapis.com'],
    ['Bitbucket', 'bitbucket.org', 'ssh.bitbucket.org', 'altssh.bitbucket.org', 'bytebucket.org', 'bbuseruploads.s3.amazonaws.com'],
  ])('git has the hosts of %s, for ssh and https', (_service, ...hosts) => {
    for (const host of hosts) expect([host, portsOf(parseRules(['git']), host)]).toEqual([host, [22, 80, 443]]);
  });

  it.each([
    'upload.pypi.org',
    'gist.github.io',
    'anybody.github.io',
    'anybody.gitlab.io',
    'people.debian.org',
    'salsa.debian.org',
    'evil.s3.amazonaws.com',
  ])('do not have %s, where anybody can store something', (host) => {
    expect(portsOf(parseRules(['packages', 'git']), host)).toEqual([]);
  });
});
