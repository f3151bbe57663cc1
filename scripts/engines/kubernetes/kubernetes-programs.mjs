import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { canInstallPackages } from '../../setup/apt.mjs';
import { run, say, SetupError, which } from '../../setup/steps.mjs';
import { bookwormPackages } from './bookworm-packages.mjs';

const BUILD_DEADLINE_MS = 2 * 3_600_000;
const VERSION = '1.20.2';
/** The Go programs of this directory: Kubernetes in one binary, and the first process of a pod. */
const OWN = join(import.meta.dirname, 'programs');
const PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet'];
const PACKAGES = ['etcd-server', 'containernetworking-plugins', 'kubernetes-client', 'containerd', 'runc'];
/** Without cloud providers and Docker's own part, which nothing here uses. */
const TAGS = 'providerless,dockerless,nokmem';
/** Where a package of Kubernetes keeps its version in GOPATH mode. */
const VENDORED = 'k8s.io/kubernetes/vendor/';

/**
 * Makes the programs of a Kubernetes cluster. Kubernetes is compiled from Debian 12's source
 * package, once for each machine. The rest is unpacked from Debian's packages. All of it is kept
 * outside the clone, so that no tool searches it.
 * @returns {Promise<{ path: string, note: string }>} a directory with `bin`, and `root` with the
 *   unpacked packages
 */
export async function ensureKubernetesPrograms() {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sandbox-api');
  const recipe = createHash('sha256').update(JSON.stringify([VERSION, PACKAGES, TAGS]));
  for (const program of ['kube', 'pause']) recipe.update(readFileSync(join(OWN, program, 'main.go')));
  const path = join(cache, `kubernetes-${recipe.digest('hex').slice(0, 8)}`);
  if (existsSync(path)) return { path, note: `up to date, ${path}` };
  if (!canInstallPackages() || which('dpkg-source') === undefined) {
    throw new SetupError('A Kubernetes cluster is made as root on Debian only, with dpkg-dev and gcc.');
  }
  say(`building Kubernetes ${VERSION} from Debian's sources (six minutes on two free cores)`);
  // What is unpacked and compiled stays for the next try, if this one is interrupted.
  const build = `${path}.build`;
  const done = join(build, 'done');
  rmSync(done, { recursive: true, force: true });
  mkdirSync(join(done, 'bin'), { recursive: true });
  const packages = await bookwormPackages(join(build, 'apt'));
  await packages.unpack(PACKAGES, join(done, 'root'));
  const source = join(build, 'gopath/src/k8s.io/kubernetes');
  if (!existsSync(source)) {
    await packages.unpack(['golang-1.19-go', 'golang-1.19-src'], join(build, 'go'));
    const unpacked = join(build, 'unpacked');
    rmSync(unpacked, { recursive: true, force: true });
    await packages.unpackSource('kubernetes', unpacked);
    mkdirSync(dirname(source), { recursive: true });
    renameSync(unpacked, source);
  }
  await compile(build, source, join(done, 'bin'));
  for (const program of PROGRAMS) symlinkSync('kube', join(done, 'bin', program));
  renameSync(done, path);
  rmSync(build, { recursive: true, force: true });
  return { path, note: `made, ${path}` };
}

/**
 * Compiles in GOPATH mode, as debian/rules does: Go refuses this release's go.mod otherwise.
 * @param {string} bin directory of the binaries
 */
async function compile(build, source, bin) {
  const env = {
    ...process.env,
    GOROOT: join(build, 'go/usr/lib/go-1.19'),
    GOPATH: join(build, 'gopath'),
    GOCACHE: join(build, 'gocache'),
    GO111MODULE: 'off',
    CGO_ENABLED: '0',
    PWD: source,
  };
  const inSource = (command, ...args) => run('env', ['-C', source, command, ...args], { env, deadlineMs: BUILD_DEADLINE_MS });
  const go = (...args) => inSource(join(env.GOROOT, 'bin/go'), ...args);
  cpSync(OWN, join(source, 'cmd'), { recursive: true });
  // Upstream generates this one file, and the source package lacks it.
  const generated = 'pkg/generated/openapi/zz_generated.openapi';
  if (!existsSync(join(source, `${generated}.go`))) {
    const generator = join(build, 'openapi-gen');
    await go('build', '-trimpath', '-o', generator, './vendor/k8s.io/kube-openapi/cmd/openapi-gen');
    const header = 'hack/boilerplate/boilerplate.generatego.txt';
    const options = ['-O', 'zz_generated.openapi', '-p', 'k8s.io/kubernetes/pkg/generated/openapi', '-h', header, '-r', '/dev/null'];
    await inSource(generator, ...options, '-i', packagesWithOpenApi(source).join(','));
  }
  const flags = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((name) =>
    Object.entries({
      gitVersion: `v${VERSION}`,
      gitMajor: '1',
      gitMinor: '20',
      gitTreeState: 'clean',
      buildDate: '2021-01-13T00:00:00Z',
    }).map(([key, value]) => `-X ${VENDORED}${name}.${key}=${value}`),
  );
  await go('build', '-trimpath', '-ldflags', '-s -w', '-o', join(bin, 'pause'), './cmd/pause');
  await go('build', '-trimpath', '-tags', TAGS, '-ldflags', `-s -w ${flags.join(' ')}`, '-o', join(bin, 'kube'), './cmd/kube');
}

/** @returns the import paths of the packages that declare types for the OpenAPI document */
function packagesWithOpenApi(source) {
  const staging = 'staging/src/';
  const found = new Set();
  for (const top of [`${staging}k8s.io`, 'pkg', 'cmd']) {
    for (const entry of readdirSync(join(source, top), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.go')) continue;
      const folder = relative(source, entry.parentPath);
      if (/code-generator|sample-apiserver|\/testdata(\/|$)/.test(folder) || found.has(folder)) continue;
      if (readFileSync(join(source, folder, entry.name), 'utf8').includes('+k8s:openapi-gen=')) found.add(folder);
    }
  }
  const importPath = (folder) =>
    folder.startsWith(staging) ? `${VENDORED}${folder.slice(staging.length)}` : `k8s.io/kubernetes/${folder}`;
  return [...found].sort().map(importPath);
}
