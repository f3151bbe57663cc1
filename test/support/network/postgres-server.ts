import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, eventually } from '../service/processes';
import type { Certificate } from './certificate';
import { spawnDebianServer } from './debian-server';

/** PostgreSQL does not run as root. */
const NOBODY = 65534;

/** Makes a database of its own, whose user `agent` has a password. */
const SCRIPT = `
as_nobody="setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups"
$as_nobody "$(command -v initdb)" -D "$1/data" -U agent --auth=scram-sha-256 --pwfile="$1/password" -E UTF8 --locale=C --no-sync
exec $as_nobody "$(command -v postgres)" -D "$1/data" -k '' -h "$2" -p 5432 -c fsync=off -c ssl=on -c ssl_cert_file="$1/cert" -c ssl_key_file="$1/key"
`;

/**
 * Starts PostgreSQL on port 5432, with TLS. The user is `agent`.
 * @param address of this machine's loopback
 */
export async function startPostgres(address: string, password: string, { key, cert }: Certificate): Promise<{ stop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-postgres-'));
  chownSync(directory, NOBODY, NOBODY);
  for (const [name, text] of Object.entries({ password, key, cert })) {
    writeFileSync(join(directory, name), text);
    chownSync(join(directory, name), NOBODY, NOBODY);
    chmodSync(join(directory, name), 0o600);
  }
  const child = new Child(spawnDebianServer(SCRIPT, directory, address));
  const accepts = async (): Promise<boolean> => child.process.exitCode !== null || child.output.includes('ready to accept connections');
  await eventually('PostgreSQL accepts connections', accepts, 300);
  if (child.process.exitCode !== null) throw new Error(`PostgreSQL ended: ${child.output}`);
  return {
    stop: async () => {
      await child.stop('SIGINT');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
