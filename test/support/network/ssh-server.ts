import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, eventually, freePort } from '../service/processes';
import { spawnDebianServer } from './debian-server';

/** An OpenSSH server with one user, `git`. */
export interface SshServer {
  readonly port: number;
  /** The key that lets its holder in. */
  readonly privateKey: string;
  /** The line that a client's `known_hosts` has after the server's name. */
  readonly publicHostKey: string;
  stop(): Promise<void>;
}

/** sshd wants its user, and those who come in, among the users of the machine. */
const SCRIPT = `
mkdir -m 0755 /run/sshd
for name in host user; do ssh-keygen -q -t ed25519 -N '' -C '' -f "$1/$name"; done
mount --bind "$1/passwd" /etc/passwd
exec "$(command -v sshd)" -D -e -f "$1/settings"
`;

/** @param address of this machine's loopback */
export async function startSshServer(address: string): Promise<SshServer> {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-sshd-'));
  const at = (name: string): string => join(directory, name);
  const port = await freePort();
  const settings = {
    Port: port,
    ListenAddress: address,
    HostKey: at('host'),
    AuthorizedKeysFile: at('user.pub'),
    PermitRootLogin: 'yes',
    StrictModes: 'no',
    UsePAM: 'no',
    PidFile: 'none',
  };
  writeFileSync(
    at('settings'),
    Object.entries(settings)
      .map((pair) => `${pair.join(' ')}\n`)
      .join(''),
  );
  writeFileSync(at('passwd'), `root:*:0:0::/:/bin/sh\nsshd:*:65534:65534::/run/sshd:/bin/false\ngit:*:0:0::${directory}:/bin/sh\n`);
  const child = new Child(spawnDebianServer(SCRIPT, directory));
  const listens = async (): Promise<boolean> => child.process.exitCode !== null || child.output.includes('Server listening');
  await eventually('sshd listens', listens, 120);
  if (child.process.exitCode !== null) throw new Error(`sshd ended: ${child.output}`);
  return {
    port,
    privateKey: readFileSync(at('user'), 'utf8'),
    publicHostKey: readFileSync(at('host.pub'), 'utf8').trim(),
    stop: async () => {
      await child.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
