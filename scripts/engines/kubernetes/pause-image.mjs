import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tarOf } from '../../setup/tar.mjs';

/** The image of the first process of each pod. No registry has it. */
export const PAUSE_IMAGE = 'localhost/pause:test';

/**
 * Makes the image, as `docker save` writes one.
 * @param {string} program path of the program
 */
export function pauseImage(program) {
  const layer = tarOf([{ name: 'pause', content: readFileSync(program), mode: 0o755 }]);
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`] },
  };
  const manifest = [{ Config: 'config.json', RepoTags: [PAUSE_IMAGE], Layers: ['layer.tar'] }];
  return tarOf([
    { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
    { name: 'config.json', content: Buffer.from(JSON.stringify(config)) },
    { name: 'layer.tar', content: layer },
  ]);
}
