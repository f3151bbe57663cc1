import { runOnEngine } from '../setup/docker-api.mjs';

const SILENCE_MS = 120_000;

/** Copies an image from one engine to another as a stream, without a file between. */
export function copyImage(from, to, tag) {
  return new Promise((resolve, reject) => {
    const options = { ...from.options, agent: false, path: `/images/${encodeURI(tag)}/get`, timeout: SILENCE_MS };
    const request = from.transport.request(options, (response) => {
      if (response.statusCode !== 200) return request.destroy(new Error(`the image ${tag} cannot be read: status ${response.statusCode}`));
      const headers = { 'Content-Type': 'application/x-tar' };
      return runOnEngine(to, { path: '/images/load?quiet=1', headers, body: response, silenceMs: SILENCE_MS }).then(resolve, reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer from the Docker engine for ${SILENCE_MS / 1000} s`)));
    request.on('error', reject);
    request.end();
  });
}
