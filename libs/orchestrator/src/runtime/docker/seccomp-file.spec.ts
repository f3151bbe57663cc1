import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECCOMP_PROFILE } from './seccomp-profile';

const FILE = join(__dirname, '../../../../../deploy/kubernetes/seccomp/sandbox.json');

type Rule = (typeof SECCOMP_PROFILE)['syscalls'][number];

/**
 * The profile as the OCI's runtime specification has it, which is what containerd reads on a node.
 * Docker's conditions are not part of that: containerd skips `includes`, and would apply the rule
 * everywhere. The one rule with a condition names a call that other machines do not have, and OCI
 * runtimes skip such names. Without `architectures`, the filter knows the node's own alone.
 */
function ociProfile(): string {
  const { defaultAction, syscalls } = SECCOMP_PROFILE;
  const rules = syscalls.map(({ names, action, errnoRet, args }: Rule) => `    ${JSON.stringify({ names, action, errnoRet, args })}`);
  return `{\n  "defaultAction": ${JSON.stringify(defaultAction)},\n  "syscalls": [\n${rules.join(',\n')}\n  ]\n}\n`;
}

describe('deploy/kubernetes/seccomp/sandbox.json', () => {
  it('is the profile of the code (`npm run seccomp` writes it again)', () => {
    // oxlint-disable-next-line node/no-process-env
    if (process.env.UPDATE_SECCOMP) writeFileSync(FILE, ociProfile());
    // Not toEqual: a difference of two such texts is long to print.
    expect(readFileSync(FILE, 'utf8') === ociProfile()).toBe(true);
  });

  // https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp
  it('has only what the OCI’s specification knows', () => {
    const { syscalls, ...profile } = JSON.parse(readFileSync(FILE, 'utf8')) as { syscalls: Rule[] };
    expect(profile).toEqual({ defaultAction: 'SCMP_ACT_ERRNO' });
    const names = (objects: readonly object[]): string[] => [...new Set(objects.flatMap(Object.keys))].sort();
    expect(names(syscalls)).toEqual(['action', 'args', 'errnoRet', 'names']);
    expect(names(syscalls.flatMap(({ args = [] }) => args))).toEqual(['index', 'op', 'value', 'valueTwo']);
  });

  it('loses no condition but that on amd64', () => {
    const conditions = SECCOMP_PROFILE.syscalls.filter(({ includes }) => includes !== undefined);
    expect(conditions).toEqual([{ names: ['arch_prctl'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64'] } }]);
  });
});
