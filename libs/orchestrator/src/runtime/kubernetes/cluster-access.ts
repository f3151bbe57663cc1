import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { dirname, resolve } from 'node:path';
import { type Config, ConfigError } from '@sandbox/config';
import { isObject } from '@sandbox/text';
import { load } from 'js-yaml';

/** Where the API server is, and how this process shows who it is. */
export interface ClusterAccess {
  readonly server: URL;
  readonly tls: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
    readonly servername?: string;
  };
  /** The namespace of the sandboxes. */
  readonly namespace: string;
  /** Returns the headers that authenticate a request. A token of a file is read again. */
  headers(): Promise<Record<string, string>>;
}

type AccessSettings = Pick<
  Config,
  'KUBERNETES_KUBECONFIG' | 'KUBERNETES_NAMESPACE' | 'KUBERNETES_SERVICE_HOST' | 'KUBERNETES_SERVICE_PORT'
>;

/** What Kubernetes mounts into each pod that has a service account. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The API server's name inside a cluster. Its certificate has it. */
const IN_CLUSTER = 'kubernetes.default.svc';
/** How long a token that was read from a file is used. Kubernetes renews it in time. */
const TOKEN_MS = 60_000;

/**
 * Finds the cluster: by a kubeconfig file, or by the service account of the pod that this process
 * runs in.
 * @throws ConfigError if neither can be used
 */
export function clusterAccess(settings: AccessSettings, serviceAccount = SERVICE_ACCOUNT): ClusterAccess {
  const { KUBERNETES_KUBECONFIG: file, KUBERNETES_NAMESPACE: namespace } = settings;
  try {
    return file === '' ? ofServiceAccount(serviceAccount, settings) : ofKubeconfig(file, namespace);
  } catch (error) {
    // A message of the YAML parser would quote the file, which holds secrets.
    const why = error instanceof AccessError || isSystemError(error) ? `: ${error.message}` : '';
    throw new ConfigError([
      file === '' ? `no cluster was found: set KUBERNETES_KUBECONFIG${why}` : `KUBERNETES_KUBECONFIG cannot be used${why}`,
    ]);
  }
}

class AccessError extends Error {}

function ofServiceAccount(directory: string, settings: AccessSettings): ClusterAccess {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, KUBERNETES_NAMESPACE: namespace } = settings;
  return {
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host || IN_CLUSTER}:${port}`),
    tls: { ca: readFileSync(resolve(directory, 'ca.crt')) },
    namespace: namespace || readFileSync(resolve(directory, 'namespace'), 'utf8').trim(),
    headers: tokenOfFile(resolve(directory, 'token')),
  };
}

function ofKubeconfig(path: string, namespace: string): ClusterAccess {
  const file = load(readFileSync(path, 'utf8'));
  const current = textOf(file, 'current-context');
  const context = named(file, 'contexts', 'context', current);
  const cluster = named(file, 'clusters', 'cluster', textOf(context, 'cluster'));
  const user = named(file, 'users', 'user', textOf(context, 'user'));
  for (const plugin of ['exec', 'auth-provider'])
    if (isObject(user) && plugin in user)
      throw new AccessError(`its user has \`${plugin}\`, which is not supported: give it a token or a certificate`);
  if (isObject(cluster) && cluster['insecure-skip-tls-verify'] === true)
    throw new AccessError('insecure-skip-tls-verify is not supported: give it certificate-authority');
  const server = textOf(cluster, 'server');
  if (!URL.canParse(server)) throw new AccessError('its current context names no server');
  const content = (object: unknown, name: string): Buffer | undefined => {
    const [data, other] = [textOf(object, `${name}-data`), textOf(object, name)];
    if (data !== '') return Buffer.from(data, 'base64');
    return other === '' ? undefined : readFileSync(resolve(dirname(path), other));
  };
  const [token, tokenFile] = [textOf(user, 'token'), textOf(user, 'tokenFile')];
  const servername = textOf(cluster, 'tls-server-name');
  return {
    server: new URL(server),
    tls: {
      ca: content(cluster, 'certificate-authority'),
      cert: content(user, 'client-certificate'),
      key: content(user, 'client-key'),
      ...(servername !== '' && { servername }),
    },
    namespace: namespace || textOf(context, 'namespace') || 'default',
    headers: tokenFile === '' ? async () => bearer(token) : tokenOfFile(resolve(dirname(path), tokenFile)),
  };
}

function bearer(token: string): Record<string, string> {
  return token === '' ? {} : { Authorization: `Bearer ${token}` };
}

function tokenOfFile(path: string): ClusterAccess['headers'] {
  let read: { at: number; headers: Record<string, string> } = { at: 0, headers: bearer(readFileSync(path, 'utf8').trim()) };
  return async () => {
    const now = performance.now();
    if (read.at !== 0 && now - read.at < TOKEN_MS) return read.headers;
    read = { at: now, headers: bearer((await readFile(path, 'utf8')).trim()) };
    return read.headers;
  };
}

/** Finds an entry of a kubeconfig's lists, which are objects with `name` and one other member. */
function named(file: unknown, list: string, member: string, name: string): unknown {
  const entries: unknown = isObject(file) ? file[list] : undefined;
  const found: unknown = Array.isArray(entries) ? entries.find((each: unknown) => isObject(each) && each.name === name) : undefined;
  if (!isObject(found)) throw new AccessError(`it has no ${member} ${JSON.stringify(name)}`);
  return found[member];
}

function textOf(object: unknown, name: string): string {
  const value: unknown = isObject(object) ? object[name] : undefined;
  return typeof value === 'string' ? value : '';
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
