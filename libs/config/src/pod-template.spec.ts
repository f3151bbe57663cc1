import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '@sandbox/config';

describe('KUBERNETES_POD_TEMPLATE', () => {
  let path: string;

  beforeAll(() => (path = join(mkdtempSync(join(tmpdir(), 'hunter2-')), 'pod.yaml')));
  afterAll(() => rmSync(join(path, '..'), { recursive: true, force: true }));

  const load = (text: string) => {
    writeFileSync(path, text);
    return loadConfig({ KUBERNETES_POD_TEMPLATE: path }, { needsAuth: false }).KUBERNETES_POD_TEMPLATE;
  };
  const problemOf = (text: string): string => {
    try {
      load(text);
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.join('\n');
      throw error;
    }
    throw new Error('it was taken');
  };

  it('is empty when it is unset, and when its file is', () => {
    const none = { labels: {}, annotations: {}, spec: {}, seccompProfile: null };
    expect(loadConfig({}, { needsAuth: false }).KUBERNETES_POD_TEMPLATE).toEqual(none);
    expect(load('')).toEqual(none);
  });

  it('gives what an operator may say when the file has it', () => {
    const text = `
metadata: {labels: {team: blue}, annotations: {note: "1"}}
spec:
  nodeSelector: {pool: sandboxes}
  tolerations: [{key: only, operator: Exists}]
  hostUsers: false
  activeDeadlineSeconds: 172800
  securityContext: {seccompProfile: {type: Localhost, localhostProfile: sandbox.json}}
`;
    expect(load(text)).toEqual({
      labels: { team: 'blue' },
      annotations: { note: '1' },
      spec: {
        nodeSelector: { pool: 'sandboxes' },
        tolerations: [{ key: 'only', operator: 'Exists' }],
        hostUsers: false,
        activeDeadlineSeconds: 172_800,
      },
      seccompProfile: { type: 'Localhost', localhostProfile: 'sandbox.json' },
    });
  });

  it.each<[string, string, RegExp]>([
    ['is no YAML', 'a: [hunter2', /^KUBERNETES_POD_TEMPLATE must name a file in YAML or JSON$/],
    ['is a list', '[hunter2]', /the file is an object$/],
    [
      'has containers of its own',
      'spec: {containers: [{image: hunter2}]}',
      /spec has no other fields than activeDeadlineSeconds, affinity, /,
    ],
    ['asks for the node’s network', 'spec: {hostNetwork: true}', /spec has no other fields/],
    ['asks for root', 'spec: {securityContext: {runAsUser: 0}}', /spec.securityContext has no other fields than seccompProfile$/],
    ['lifts the filter of system calls', 'spec: {securityContext: {seccompProfile: {type: Unconfined}}}', /Localhost and RuntimeDefault$/],
    ['asks for the node’s users', 'spec: {hostUsers: true}', /no spec.hostUsers but false$/],
    ...['59', '60.5', '2147483648', '"60"', 'null'].map((seconds): [string, string, RegExp] => [
      `ends each pod after ${seconds} s`,
      `spec: {activeDeadlineSeconds: ${seconds}}`,
      /from 60 to 2147483647 alone$/,
    ]),
    ['has a label that is no text', 'metadata: {labels: {hunter2: 1}}', /metadata.labels has texts alone$/],
    ['is too large', `# ${'x'.repeat(65_536)}`, /at most 65536 bytes$/],
  ])('is refused, and not quoted, when its file %s', (_, text, problem) => {
    expect(problemOf(text)).toMatch(problem);
    expect(problemOf(text)).not.toContain('hunter2');
  });
});
