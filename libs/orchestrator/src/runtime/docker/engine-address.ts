import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '@sandbox/config';
import type { DockerOptions } from 'dockerode';

const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

type EngineSettings = Pick<Config, 'DOCKER_HOST' | 'DOCKER_TLS_VERIFY' | 'DOCKER_CERT_PATH'>;

/**
 * Returns the engine's address as dockerode takes it. It reads the settings as Docker's own clients
 * do. If DOCKER_HOST is empty, dockerode finds the local socket.
 * @throws Error if DOCKER_HOST is none of unix://, tcp://, http:// and https://, or a certificate
 * is missing
 */
export function engineAddress(settings: EngineSettings): DockerOptions {
  const { DOCKER_HOST: dockerHost } = settings;
  if (dockerHost === '') return {};
  if (dockerHost.startsWith('unix://')) {
    const socketPath = dockerHost.slice('unix://'.length);
    if (!socketPath.startsWith('/')) throw badAddress();
    // Without an explicit `host`, dockerode takes one from the process's environment and prefers
    // it.
    return { socketPath, host: undefined };
  }
  return tcpAddress(settings);
}

function tcpAddress({ DOCKER_HOST: dockerHost, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH }: EngineSettings): DockerOptions {
  const url = URL.canParse(dockerHost) ? new URL(dockerHost) : null;
  const scheme = /^(tcp|http|https):\/\//.exec(dockerHost)?.[1];
  if (url === null || scheme === undefined || url.hostname === '' || !['', '/'].includes(url.pathname)) throw badAddress();
  const tls = scheme === 'https' || (scheme === 'tcp' && DOCKER_TLS_VERIFY !== '');
  // The URL class drops a port that is the scheme's default.
  const written = /:(\d+)\/?$/.exec(dockerHost)?.[1];
  const address = { host: url.hostname, port: written ?? (tls ? TLS_PORT : PLAIN_PORT) };
  // Without an explicit protocol, dockerode decides by the port and by the process's environment.
  return tls ? { ...address, protocol: 'https', ...certificates(DOCKER_CERT_PATH) } : { ...address, protocol: 'http' };
}

function certificates(directory: string): Pick<DockerOptions, 'ca' | 'cert' | 'key'> {
  const read = (name: string): Buffer => readFileSync(join(directory || join(homedir(), '.docker'), name));
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}

function badAddress(): Error {
  return new Error('DOCKER_HOST must be unix:///path, tcp://host:port, http://host:port or https://host:port');
}
