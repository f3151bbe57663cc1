/** Asks a cluster's API server directly. */
import https from 'node:https';
import { refuseWhenEnding } from './cleanup.mjs';

/** Makes a call, which has to succeed. @returns the answer's text */
export async function callText(cluster, method, path, body) {
  const response = await send(cluster, method, path, body);
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 300)}`);
  return text;
}

export const callCluster = async (...call) => JSON.parse(await callText(...call));

function send({ server, connection }, method, path, body, agent = connection.agent) {
  refuseWhenEnding();
  const text = body && JSON.stringify(body);
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const headers = text ? { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) } : {};
  const options = { method, agent, ...connection.tls, headers };
  return new Promise((resolve, reject) => {
    https.request(`${server}${path}`, options, resolve).on('error', reject).end(text);
  });
}

/** @returns the path of a namespace's pods, or of what is below it */
export const podsPath = ({ namespace }, rest = '') => `/api/v1/namespaces/${namespace}/pods${rest}`;

/**
 * Opens a watch of pods, as the service does, over a connection of its own.
 * @param onEvent is called with each event and its length in bytes
 * @returns a function that ends it
 */
export async function watchPods(cluster, labelSelector, onEvent) {
  const { metadata } = await callCluster(cluster, 'GET', podsPath(cluster, `?labelSelector=${labelSelector}&limit=1`));
  const query = new URLSearchParams({
    labelSelector,
    resourceVersion: metadata.resourceVersion,
    watch: 'true',
    allowWatchBookmarks: 'true',
  });
  const response = await send(cluster, 'GET', podsPath(cluster, `?${query}`), undefined, false);
  let pending = '';
  response.setEncoding('utf8').on('data', (chunk) => {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop();
    for (const line of lines) if (line !== '') onEvent(JSON.parse(line), line.length + 1);
  });
  response.on('error', () => undefined);
  return () => response.destroy();
}
