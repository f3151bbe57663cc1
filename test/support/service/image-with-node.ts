import { execFileSync } from 'node:child_process';
import { basename, dirname } from 'node:path';
import { TEST_IMAGE } from '../engine-under-test';
import { docker } from './deployment';

const MAX_TAR_BYTES = 512 * 1024 ** 2;

/** Makes an image of the sandboxes that also has this machine's Node. @returns its name */
export async function makeImageWithNode(): Promise<string> {
  const name = `with-node-${Date.now().toString(36)}`;
  const { execPath } = process;
  const options = ['-C', dirname(execPath), `--transform=s,^${basename(execPath)}$,usr/local/bin/node,`, basename(execPath)];
  const container = await docker.createContainer({ Image: TEST_IMAGE, User: '0', Entrypoint: ['true'], Cmd: [] });
  try {
    await container.putArchive(execFileSync('tar', ['-ch', ...options], { maxBuffer: MAX_TAR_BYTES }), { path: '/' });
    await container.commit({ repo: name });
  } finally {
    await container.remove();
  }
  return name;
}
