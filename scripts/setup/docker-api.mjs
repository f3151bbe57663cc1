import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { say, SetupError } from './steps.mjs';

const MAX_LINE_BYTES = 1024 * 1024;
const PULL_SILENCE_MS = 30_000;

/**
 * Returns where a Docker engine listens, as options of node:http. Reads DOCKER_HOST as Docker's
 * clients do, and DOCKER_TLS_VERIFY and DOCKER_CERT_PATH for TLS.
 * @param {string} dockerHost such as `unix:///var/run/docker.sock` or `tcp://host:2375`
 */
export function engineAt(dockerHost, env = process.env) {
  const match = /^(unix|npipe|tcp|http|https):\/\/(.+)$/.exec(dockerHost);
  if (match === null) throw new SetupError('DOCKER_HOST must begin with unix://, npipe://, tcp://, http:// or https://.');
  const [, scheme, rest] = match;
  if (scheme === 'unix' || scheme === 'npipe') return { transport: http, options: { socketPath: rest } };
  const { hostname, port } = new URL(`http://${rest}`);
  const address = { host: hostname.replace(/^\[|\]$/g, '') };
  if (scheme !== 'https' && !env.DOCKER_TLS_VERIFY) return { transport: http, options: { ...address, port: port || 2375 } };
  const certificates = env.DOCKER_CERT_PATH || join(homedir(), '.docker');
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFileSync(join(certificates, name)));
  return { transport: https, options: { ...address, port: port || 2376, ca, cert, key } };
}

/**
 * Makes one call to the Docker Engine API. The answer is read line by line, because pull, build and
 * import report their progress in lines.
 * @param {ReturnType<typeof engineAt>} engine
 * @param {object} call
 * @param {string} [call.method]
 * @param {string} call.path
 * @param {object} [call.headers]
 * @param {Buffer | import('node:stream').Readable} [call.body]
 * @param {number} call.silenceMs how long the engine may send nothing
 * @param {(line: string) => void} [call.onLine]
 * @returns {Promise<number>} the status
 */
export function callEngine(engine, { method = 'GET', path, headers, body, silenceMs, onLine = () => {} }) {
  return new Promise((resolve, reject) => {
    // A connection for each call. A kept one could belong to an engine that has restarted since.
    const options = { ...engine.options, agent: false, method, path, headers, timeout: silenceMs };
    const request = engine.transport.request(options, (response) => {
      let pending = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        const lines = (pending + chunk).split('\n');
        pending = lines.pop();
        if (pending.length > MAX_LINE_BYTES) request.destroy(new Error('the Docker engine sent an endless line'));
        lines.forEach(onLine);
      });
      response.on('end', () => {
        if (pending !== '') onLine(pending);
        resolve(response.statusCode);
      });
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer from the Docker engine for ${silenceMs / 1000} s`)));
    request.on('error', reject);
    if (body === undefined || Buffer.isBuffer(body)) request.end(body);
    else body.on('error', (error) => request.destroy(error)).pipe(request);
  });
}

/**
 * Says why no engine answers.
 * @returns an errno such as `ENOENT`, or a text; undefined if an engine answers
 */
export async function whyNoEngine(engine) {
  try {
    const status = await callEngine(engine, { path: '/_ping', silenceMs: 5_000 });
    return status === 200 ? undefined : `status ${status}`;
  } catch (error) {
    return error.code ?? error.message;
  }
}

/** @returns the labels of an image; undefined if there is no such image */
export async function imageLabels(engine, tag) {
  let text = '';
  const status = await callEngine(engine, { path: `/images/${encodeURI(tag)}/json`, silenceMs: 30_000, onLine: (line) => (text += line) });
  return status === 200 ? (JSON.parse(text).Config?.Labels ?? {}) : undefined;
}

/**
 * Makes a call that reports its progress as JSON lines: pull, build or import.
 * @throws Error with what the engine says went wrong
 */
export async function runOnEngine(engine, call) {
  let failure;
  const status = await callEngine(engine, {
    ...call,
    method: 'POST',
    onLine: (line) => {
      const { error, message } = JSON.parse(line.trim() || '{}');
      failure = error ?? message ?? failure;
    },
  });
  if (failure !== undefined || status >= 300) throw new Error(failure ?? `the Docker engine answered ${status}`);
}

/**
 * Pulls an image if it is absent.
 * @param {string} image such as `python:3.12-slim`
 * @throws Error if no registry has it
 */
export async function pullUnlessPresent(engine, image) {
  if ((await imageLabels(engine, image)) !== undefined) return;
  say(`pulling ${image}`);
  const [fromImage, tag] = image.split(':');
  await runOnEngine(engine, { path: `/images/create?${new URLSearchParams({ fromImage, tag })}`, silenceMs: PULL_SILENCE_MS });
}
