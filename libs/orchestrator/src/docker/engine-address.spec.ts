import { engineAddress } from './engine-address';

describe('engineAddress', () => {
  it.each([
    ['', {}],
    ['unix:///run/docker.sock', { socketPath: '/run/docker.sock', host: undefined }],
    ['tcp://engine', { host: 'engine', port: 2375 }],
    ['tcp://10.0.0.1:80', { host: '10.0.0.1', port: '80' }],
    ['tcp://[::1]:2376/', { host: '[::1]', port: '2376' }],
    ['http://engine', { host: 'engine', port: 2375, protocol: 'http' }],
    ['http://engine:80', { host: 'engine', port: '80', protocol: 'http' }],
    ['https://engine', { host: 'engine', port: 2376, protocol: 'https' }],
    ['https://engine:443/', { host: 'engine', port: '443', protocol: 'https' }],
  ])('reads %j', (dockerHost, address) => {
    expect(engineAddress(dockerHost)).toEqual(address);
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
    expect(() => engineAddress(dockerHost)).toThrow('DOCKER_HOST must be');
  });
});
