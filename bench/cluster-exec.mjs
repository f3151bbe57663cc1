/** Runs processes in a cluster's pods over WebSockets: the floor of a channel. */
import { createRequire } from 'node:module';
import { WebSocket } from 'ws';
import { podsPath } from './cluster-calls.mjs';
import { withWidth } from './measure.mjs';

const require = createRequire(import.meta.url);
const { CONTAINER } = require('../dist/libs/orchestrator/src/runtime/kubernetes/pod-spec');

const PROTOCOL = 'v4.channel.k8s.io';
/** The first byte of each message of an exec names its stream. */
const STREAM = { stdin: 0, stdout: 1, status: 3 };
const MESSAGE_BYTES = 2 ** 20;
/** What passes an idle channel: an empty frame and its answer, and a ping of its WebSocket. */
const FRAME = Buffer.alloc(9, 'x');
const FRAME_MS = 15_000;
const PING_MS = 20_000;
const OPENINGS_AT_A_TIME = 4;

/** Opens an exec over a WebSocket, as the service does. */
function openExec(cluster, pod, argv) {
  const query = argv.map((word) => `command=${encodeURIComponent(word)}`).join('&');
  const path = podsPath(cluster, `/${pod}/exec?container=${CONTAINER}&stdin=true&stdout=true&${query}`);
  return new WebSocket(`${cluster.server.replace('http', 'ws')}${path}`, [PROTOCOL], {
    ...cluster.connection.tls,
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
}

/**
 * Runs the floor of a channel: one exec over a WebSocket, up to the status of its process.
 * @param stdin bytes for the process, which has to know their number: the protocol cannot end them
 * @returns how many bytes it wrote
 */
export async function bareExec(cluster, pod, argv, stdin) {
  const socket = openExec(cluster, pod, argv);
  const ended = outcomeOf(socket);
  if (stdin !== undefined) {
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    for (let at = 0; at < stdin.length; at += MESSAGE_BYTES) await sendPiece(socket, stdin.subarray(at, at + MESSAGE_BYTES));
  }
  const { bytes, status } = await ended;
  if (status !== 'Success') throw new Error(`exec: ${status}`);
  return bytes;
}

function outcomeOf(socket) {
  let [bytes, status] = [0, 'no status'];
  return new Promise((resolve, reject) => {
    socket.on('message', (message) => {
      if (message[0] === STREAM.stdout) bytes += message.length - 1;
      else if (message[0] === STREAM.status) ({ status } = JSON.parse(message.subarray(1).toString('utf8')));
    });
    socket.once('close', () => resolve({ bytes, status })).once('error', reject);
  });
}

/** Sends a piece of stdin. It is done when the connection has taken it. */
export function sendPiece(socket, piece) {
  const message = Buffer.concat([Buffer.from([STREAM.stdin]), piece]);
  return new Promise((resolve, reject) => {
    socket.send(message, (error) => (error ? reject(error) : resolve()));
  });
}

/**
 * Opens execs of `cat` that are idle as channels are.
 * @param pods the name of a pod for each
 * @returns their sockets, for `closeAll`
 */
export async function idleExecs(cluster, pods) {
  const sockets = [];
  await withWidth(OPENINGS_AT_A_TIME, pods, async (pod) => {
    const socket = openExec(cluster, pod, ['cat']);
    sockets.push(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const timers = [setInterval(() => void sendPiece(socket, FRAME), FRAME_MS), setInterval(() => socket.ping(), PING_MS)];
    socket.once('close', () => timers.forEach(clearInterval));
  });
  return sockets;
}

export function closeAll(sockets) {
  for (const socket of sockets) socket.terminate();
}
