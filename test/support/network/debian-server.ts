import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

/** Where `npm test` unpacks packages that it does not install (scripts/setup/test-programs.mjs). */
const UNPACKED = resolve(__dirname, '../../../.sandbox/programs');

/**
 * The server finds the unpacked packages where it would find them if they were installed. It may
 * change /run without that the machine sees it.
 */
const PREPARE = `
[ ! -d "$0/usr" ] || mount -t overlay -o "lowerdir=$0/usr:/usr" overlay /usr
mount -t tmpfs tmpfs /run
PATH=$PATH:/usr/sbin
for directory in /usr/lib/postgresql/*/bin; do PATH=$PATH:$directory; done
`;

/**
 * Runs a server of Debian's packages, in a mount namespace of its own.
 * @param script shell commands that end with `exec`
 * @param parameters of the script
 */
export function spawnDebianServer(script: string, ...parameters: string[]): ChildProcess {
  const env = { PATH: process.env.PATH, LANG: 'C.UTF-8' };
  return spawn('unshare', ['-m', 'sh', '-ec', PREPARE + script, UNPACKED, ...parameters], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}
