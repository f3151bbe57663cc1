import type { DockerOptions } from 'dockerode';

const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

/**
 * DOCKER_HOST as dockerode takes it. Empty: the local socket, where dockerode looks for it.
 * @throws Error where it is none of unix://, tcp://, http:// and https://
 */
export function engineAddress(dockerHost: string): DockerOptions {
  if (dockerHost === '') return {};
  if (dockerHost.startsWith('unix://')) {
    const socketPath = dockerHost.slice('unix://'.length);
    if (!socketPath.startsWith('/')) throw badAddress();
    // `host` is named, as dockerode would otherwise take one over from the process's environment and prefer it.
    return { socketPath, host: undefined };
  }
  return tcpAddress(dockerHost);
}

function tcpAddress(dockerHost: string): DockerOptions {
  const url = URL.canParse(dockerHost) ? new URL(dockerHost) : null;
  const scheme = /^(tcp|http|https):\/\//.exec(dockerHost)?.[1];
  if (url === null || scheme === undefined || url.hostname === '' || !['', '/'].includes(url.pathname)) throw badAddress();
  if (scheme === 'tcp') {
    // No protocol: whether a tcp:// engine speaks TLS, dockerode decides by DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.
    return { host: url.hostname, port: url.port || PLAIN_PORT };
  }
  // URL drops a port that is the scheme's own.
  const written = /:(\d+)\/?$/.exec(dockerHost)?.[1];
  return {
    host: url.hostname,
    port: written ?? (scheme === 'https' ? TLS_PORT : PLAIN_PORT),
    protocol: scheme === 'https' ? 'https' : 'http',
  };
}

function badAddress(): Error {
  return new Error('DOCKER_HOST must be unix:///path, tcp://host:port, http://host:port or https://host:port');
}
