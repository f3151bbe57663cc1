import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '@sandbox/config';
import type { DockerOptions } from 'dockerode';

const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

type EngineSettings = Pick<Config, 'DOCKER_HOST' | 'DOCKER_TLS_VERIFY' | 'DOCKER_CERT_PATH'>;

/**
 * The engine as dockerode takes it, read from the settings as Docker's own clients read them. Empty DOCKER_HOST: the local socket, where
 * dockerode looks for it.
 * @throws Error where DOCKER_HOST is none of unix://, tcp://, http:// and https://, or a certificate is missing
 */
export function engineAddress(settings: EngineSettings): DockerOptions {
  const { DOCKER_HOST: dockerHost } = settings;
  if (dockerHost === '') return {};
  if (dockerHost.startsWith('unix://')) {
    const socketPath = dockerHost.slice('unix://'.length);
    if (!socketPath.startsWith('/')) throw badAddress();
    // `host` is named, as dockerode would otherwise take one over from the process's environment and prefer it.
    return { socketPath, host: undefined };
  }
  return tcpAddress(settings);
}

function tcpAddress({ DOCKER_HOST: dockerHost, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH }: EngineSettings): DockerOptions {
  const url = URL.canParse(dockerHost) ? new URL(dockerHost) : null;
  const scheme = /^(tcp|http|https):\/\//.exec(dockerHost)?.[1];
  if (url === null || scheme === undefined || url.hostname === '' || !['', '/'].includes(url.pathname)) throw badAddress();
  const tls = scheme === 'https' || (scheme === 'tcp' && DOCKER_TLS_VERIFY !== '');
  // URL drops a port that is the scheme's own.
  const written = /:(\d+)\/?$/.exec(dockerHost)?.[1];
  const address = { host: url.hostname, port: written ?? (tls ? TLS_PORT : PLAIN_PORT) };
  // The protocol is named in either case: dockerode would else decide by the port, and by the process's environment.
  return tls ? { ...address, protocol: 'https', ...certificates(DOCKER_CERT_PATH) } : { ...address, protocol: 'http' };
}

function certificates(directory: string): Pick<DockerOptions, 'ca' | 'cert' | 'key'> {
  const read = (name: string): Buffer => readFileSync(join(directory || join(homedir(), '.docker'), name));
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}

function badAddress(): Error {
  return new Error('DOCKER_HOST must be unix:///path, tcp://host:port, http://host:port or https://host:port');
}
