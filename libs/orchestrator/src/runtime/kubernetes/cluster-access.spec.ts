import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@sandbox/config';
import { clusterAccess } from './cluster-access';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'access-'))));
afterEach(() => rmSync(directory, { recursive: true }));

const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const settings = (variables: Record<string, string> = {}) => loadConfig(variables, { needsAuth: false });
const of = (text: string, namespace = '') =>
  clusterAccess(settings({ KUBERNETES_KUBECONFIG: file('config', text), KUBERNETES_NAMESPACE: namespace }));

const config = (user: string, more = ''): string => `
apiVersion: v1
kind: Config
current-context: b
contexts:
  - {name: a, context: {cluster: other, user: other}}
  - {name: b, context: {cluster: c, user: u, namespace: boxes}}
clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: ${Buffer.from('CA').toString('base64')}${more}}}]
users: [{name: u, user: {${user}}}]
`;

describe('clusterAccess', () => {
  it('reads the current context of a kubeconfig, with a certificate in it', async () => {
    const data = (text: string): string => Buffer.from(text).toString('base64');
    const access = of(config(`client-certificate-data: ${data('CERT')}, client-key-data: ${data('KEY')}`));
    expect([access.server.href, access.namespace]).toEqual(['https://10.0.0.1:6443/', 'boxes']);
    expect([access.tls.ca, access.tls.cert, access.tls.key].map(String)).toEqual(['CA', 'CERT', 'KEY']);
    expect(await access.headers()).toEqual({});
  });

  it('takes files beside the kubeconfig, a token and another namespace', async () => {
    file('u.crt', 'CERT');
    const access = of(config('client-certificate: u.crt, token: secret'), 'elsewhere');
    expect([String(access.tls.cert), access.namespace]).toEqual(['CERT', 'elsewhere']);
    expect(await access.headers()).toEqual({ Authorization: 'Bearer secret' });
  });

  it('takes the service account of a pod when no kubeconfig is named', async () => {
    file('ca.crt', 'CA');
    file('namespace', 'boxes\n');
    file('token', 'first\n');
    const access = clusterAccess(settings(), directory);
    expect([access.server.href, access.namespace, String(access.tls.ca)]).toEqual(['https://kubernetes.default.svc/', 'boxes', 'CA']);
    file('token', 'renewed\n');
    expect(await access.headers()).toEqual({ Authorization: 'Bearer renewed' });
  });

  it.each([
    ['10.96.0.1', '6443', 'https://10.96.0.1:6443/'],
    ['fd00::1', '443', 'https://[fd00::1]/'],
  ])('finds the API server where Kubernetes says: %s %s', (host, port, url) => {
    for (const name of ['ca.crt', 'namespace', 'token']) file(name, 'x');
    const given = settings({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port });
    expect(clusterAccess(given, directory).server.href).toBe(url);
  });

  it.each([
    ['exec', config('exec: {command: aws}'), /`exec`, which is not supported/],
    ['no verification', config('token: secret', ', insecure-skip-tls-verify: true'), /insecure-skip-tls-verify/],
    ['no such context', config('token: secret').replace('current-context: b', 'current-context: z'), /no context "z"/],
    ['no YAML', 'secret: [', /KUBERNETES_KUBECONFIG cannot be used$/],
  ])('says what is wrong and no secret: %s', (_, text, message) => {
    expect(() => of(text)).toThrow(message);
    expect(() => of(text)).not.toThrow(/secret: \[/);
  });

  it('says that no cluster was found when there is neither', () => {
    expect(() => clusterAccess(settings(), directory)).toThrow(/set KUBERNETES_KUBECONFIG/);
  });
});
