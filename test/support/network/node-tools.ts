import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Client } from '../service/service';

const MAX_TAR_BYTES = 512 * 1024 ** 2;

/**
 * Makes an archive of this machine's Node.
 * @param path of it in the archive
 * @param more what else tar(1) is to put in
 */
export function nodeTar(path: string, ...more: string[]): Buffer {
  const node = realpathSync(process.execPath);
  const own = ['-C', dirname(node), `--transform=s,^${basename(node)}$,${path},`, basename(node)];
  return execFileSync('tar', ['-c', ...own, ...more], { maxBuffer: MAX_TAR_BYTES });
}

/**
 * Puts this machine's Node and npm into a session, as `~/.local/bin/node` and `npm`. The session
 * needs a disk, and the service takes files and archives of any size.
 */
export async function putNode(client: Client, session: string): Promise<void> {
  const npm = dirname(dirname(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())));
  const tar = nodeTar('bin/node', '-C', dirname(npm), `--transform=s,^${basename(npm)}/,lib/npm/,`, `${basename(npm)}/`);
  const archive = `/sessions/${session}/workspace/archive?path=.local`;
  const put = await client.request('PUT', archive, undefined, { body: tar, headers: { 'Content-Type': 'application/x-tar' } });
  if (put.status !== 200) throw new Error(`${put.status} ${JSON.stringify(put.body)}`);
  await client.run(session, 'ln -s ../lib/npm/bin/npm-cli.js .local/bin/npm');
}
