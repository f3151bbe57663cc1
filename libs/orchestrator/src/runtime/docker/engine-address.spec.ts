import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineAddress } from './engine-address';

const at = (DOCKER_HOST: string, DOCKER_TLS_VERIFY = '', DOCKER_CERT_PATH = '') =>
  engineAddress({ DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH });

describe('engineAddress', () => {
  const directory = mkdtempSync(join(tmpdir(), 'certificates-'));
  const names = ['ca', 'cert', 'key'] as const;
  const certificates = Object.fromEntries(names.map((name) => [name, Buffer.from(name)]));

  beforeAll(() => names.forEach((name) => writeFileSync(join(directory, `${name}.pem`), name)));
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each([
    ['', {}],
    ['unix:///run/docker.sock', { socketPath: '/run/docker.sock', host: undefined }],
    ['tcp://engine', { host: 'engine', port: 2375, protocol: 'http' }],
    ['tcp://10.0.0.1:80', { host: '10.0.0.1', port: '80', protocol: 'http' }],
    ['tcp://[::1]:2376/', { host: '[::1]', port: '2376', protocol: 'http' }],
    ['http://engine', { host: 'engine', port: 2375, protocol: 'http' }],
    ['http://engine:80', { host: 'engine', port: '80', protocol: 'http' }],
  ])('reads %j', (dockerHost, address) => {
    expect(at(dockerHost)).toEqual(address);
  });

  it.each([
    ['tcp://engine', '1', { host: 'engine', port: 2376 }],
    ['tcp://engine:2375', 'true', { host: 'engine', port: '2375' }],
    ['https://engine', '', { host: 'engine', port: 2376 }],
    ['https://engine:443/', '', { host: 'engine', port: '443' }],
  ])('reads %j with DOCKER_TLS_VERIFY=%j, and its certificates', (dockerHost, verify, address) => {
    expect(at(dockerHost, verify, directory)).toEqual({ ...address, protocol: 'https', ...certificates });
  });

  it('refuses an engine over TLS when there are no certificates', () => {
    expect(() => at('tcp://engine', '1', join(directory, 'none'))).toThrow('ENOENT');
  });

  it.each([
    'engine:2375',
    'unix://',
    'unix://run/docker.sock',
    'ssh://me@engine',
    'npipe:////./pipe/docker_engine',
    'tcp://',
    'tcp://engine/path',
  ])('refuses %j', (dockerHost) => {
    expect(() => at(dockerHost)).toThrow('DOCKER_HOST must be');
  });
});
