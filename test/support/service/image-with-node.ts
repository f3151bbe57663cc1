import { TEST_IMAGE } from '../engine-under-test';
import { nodeTar } from '../network/node-tools';
import { docker } from './deployment';

/** Makes an image of the sandboxes that also has this machine's Node. @returns its name */
export async function makeImageWithNode(): Promise<string> {
  const name = `with-node-${Date.now().toString(36)}`;
  const container = await docker.createContainer({ Image: TEST_IMAGE, User: '0', Entrypoint: ['true'], Cmd: [] });
  try {
    await container.putArchive(nodeTar('usr/local/bin/node'), { path: '/' });
    await container.commit({ repo: name });
  } finally {
    await container.remove();
  }
  return name;
}
