import type { Config } from '@sandbox/config';
import { sandboxEnvironment } from './environment';
import { surroundingsOf } from './surroundings';

type Settings = Pick<Config, 'EGRESS_MIRRORS' | 'EGRESS_CA_FILE'>;
const NONE: Settings = { EGRESS_MIRRORS: { urls: {}, rules: [] }, EGRESS_CA_FILE: null };
const mirrors = (urls: Settings['EGRESS_MIRRORS']['urls']) => surroundingsOf({ ...NONE, EGRESS_MIRRORS: { urls, rules: [] } })!;

describe('surroundingsOf', () => {
  it('is null when neither mirrors nor certificates are set', () => {
    expect(surroundingsOf(NONE)).toBeNull();
  });

  it('names the files of certificates by the variable of each program when they are set', () => {
    const { variables, directories, files, trust } = surroundingsOf({ ...NONE, EGRESS_CA_FILE: 'PEM' })!;
    const bundle = '/run/surroundings/ca-bundle.pem';
    expect(variables).toEqual({
      SSL_CERT_FILE: bundle,
      CURL_CA_BUNDLE: bundle,
      REQUESTS_CA_BUNDLE: bundle,
      PIP_CERT: bundle,
      GIT_SSL_CAINFO: bundle,
      CARGO_HTTP_CAINFO: bundle,
      AWS_CA_BUNDLE: bundle,
      NODE_EXTRA_CA_CERTS: '/run/surroundings/ca.pem',
      DENO_CERT: '/run/surroundings/ca.pem',
      SYSTEM_WGETRC: '/run/surroundings/wgetrc',
      APT_CONFIG: '/run/surroundings/apt.conf',
      JAVA_TOOL_OPTIONS: '-Djavax.net.ssl.trustStore=/run/surroundings/truststore.jks',
    });
    expect(files).toEqual({
      '/run/surroundings/wgetrc': `ca_certificate = ${bundle}\n`,
      '/run/surroundings/apt.conf': `Acquire::https::CAInfo "${bundle}";\n`,
    });
    expect(trust).toEqual({ directory: '/run/surroundings', certificates: 'PEM' });
    expect(directories).toEqual({ '/run/surroundings': 4 * 1024 ** 2 });
  });

  it('names each mirror as its programs read it when mirrors are set', () => {
    expect(mirrors({ pypi: 'https://p.test/simple/', npm: 'https://n.test/npm/', go: 'https://g.test/go' }).variables).toEqual({
      PIP_INDEX_URL: 'https://p.test/simple/',
      UV_DEFAULT_INDEX: 'https://p.test/simple/',
      NPM_CONFIG_REGISTRY: 'https://n.test/npm/',
      PNPM_CONFIG_REGISTRY: 'https://n.test/npm/',
      YARN_NPM_REGISTRY_SERVER: 'https://n.test/npm',
      COREPACK_NPM_REGISTRY: 'https://n.test/npm',
      GOPROXY: 'https://g.test/go',
    });
    expect(mirrors({ npm: 'https://n.test/' })).toMatchObject({ files: {}, trust: null });
  });

  it('lets pip use an index without TLS when that is the mirror', () => {
    expect(mirrors({ pypi: 'http://p.test:8080/simple' }).variables).toMatchObject({ PIP_TRUSTED_HOST: 'p.test:8080' });
  });

  it.each(['https://c.test/crates', 'https://c.test/crates/'])('writes a file for cargo when its mirror is %s', (cargo) => {
    expect(mirrors({ cargo })).toEqual({
      variables: {},
      directories: { '/run/surroundings': 4 * 1024 ** 2, '/.cargo': 64 * 1024 },
      files: {
        '/.cargo/config.toml':
          '[source.crates-io]\nreplace-with = "mirror"\n\n[source.mirror]\nregistry = "sparse+https://c.test/crates/"\n',
      },
      trust: null,
    });
  });

  it('gives Maven another place for its settings when its mirror is set', () => {
    const { variables, files } = mirrors({ maven: 'https://m.test/$&/' });
    expect(variables).toEqual({ MAVEN_OPTS: '-Dmaven.conf=/run/surroundings/maven', MVNW_REPOURL: 'https://m.test/$&' });
    expect(Object.keys(files)).toEqual(['/run/surroundings/maven/settings.xml', '/run/surroundings/maven/logging/simplelogger.properties']);
    expect(files['/run/surroundings/maven/settings.xml']).toContain('<mirrorOf>central</mirrorOf>\n      <url>https://m.test/$&/</url>');
  });
});

describe('sandboxEnvironment', () => {
  it('has the options of both when a mirror has options for a program', () => {
    expect(sandboxEnvironment(false, mirrors({ maven: 'https://m.test/' }))).toContain(
      'MAVEN_OPTS=-Duser.home=/workspace -Dmaven.conf=/run/surroundings/maven',
    );
  });

  it('sets TMPDIR when the workspace is on the disk', () => {
    expect(sandboxEnvironment(true, null).filter((entry) => !sandboxEnvironment(false, null).includes(entry))).toEqual([
      'TMPDIR=/workspace/.tmp',
    ]);
  });
});
