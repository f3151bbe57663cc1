import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../setup/steps.mjs';

const DEADLINE_MS = 60_000;
const DAYS = '30';
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/**
 * Makes the keys of a cluster: an authority, and certificates that it signs. Kubernetes takes a
 * certificate's name for the user's, and its organisations for the groups.
 * @param {string} directory
 * @param {string} server URL of the API server
 * @param {string} address of the API server
 * @param {readonly string[]} nodes the addresses of the nodes
 */
export async function makeClusterKeys(directory, server, address, nodes) {
  const at = (name) => join(directory, name);
  const openssl = (...args) => run('openssl', args, { deadlineMs: DEADLINE_MS });
  await openssl('req', '-x509', ...CURVE, '-days', DAYS, '-keyout', at('ca.key'), '-out', at('ca.crt'), '-subj', '/CN=sandbox-api-test');
  await openssl('genrsa', '-out', at('accounts.key'), '2048');
  const sign = async (name, subject, names = '') => {
    const extensions = `keyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n${names === '' ? '' : `subjectAltName=${names}\n`}`;
    writeFileSync(at(`${name}.extensions`), extensions);
    await openssl('req', '-new', ...CURVE, '-keyout', at(`${name}.key`), '-subj', subject, '-out', at(`${name}.request`));
    const authority = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', DAYS];
    await openssl(
      'x509',
      '-req',
      '-in',
      at(`${name}.request`),
      ...authority,
      '-out',
      at(`${name}.crt`),
      '-extfile',
      at(`${name}.extensions`),
    );
  };
  const kubeconfig = (name) => {
    const base64 = (file) => readFileSync(at(file)).toString('base64');
    const content = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': base64('ca.crt') } }],
      users: [{ name, user: { 'client-certificate-data': base64(`${name}.crt`), 'client-key-data': base64(`${name}.key`) } }],
      contexts: [{ name, context: { cluster: 'test', user: name } }],
      'current-context': name,
    };
    // JSON is YAML too.
    writeFileSync(at(`${name}.kubeconfig`), JSON.stringify(content), { mode: 0o600 });
  };
  await sign('apiserver', '/CN=kube-apiserver', `IP:${address},IP:10.96.0.1,DNS:kubernetes.default.svc`);
  await sign('kubelet-client', '/O=system:masters/CN=kubelet-client');
  for (const [name, subject, names] of [
    ['admin', '/O=system:masters/CN=admin'],
    ['controllers', '/O=system:masters/CN=controllers'],
    ['scheduler', '/CN=system:kube-scheduler'],
    ...nodes.map((node) => [`node-${node}`, `/O=system:nodes/CN=system:node:${node}`, `IP:${node}`]),
  ]) {
    await sign(name, subject, names);
    kubeconfig(name);
  }
}
