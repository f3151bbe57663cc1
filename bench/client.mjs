/**
 * A client of the service. It is lean, because it shares the machine's cores with what it measures:
 * a call by `fetch`, as packages/client makes it, costs three times as much of them. So it keeps
 * answers only if somebody looks at them.
 */
import http from 'node:http';
import net from 'node:net';

const agent = new http.Agent({ keepAlive: true, maxSockets: 512 });
const JSON_BODY = { 'Content-Type': 'application/json' };
const EVENTS = { ...JSON_BODY, Accept: 'text/event-stream' };
/** The text around the data of an output event that needs no escapes. */
const OUTPUT_HEAD = 'event: stdout\ndata: {"data":"';
const OUTPUT_TAIL = '"}';

/** Closes the connections that wait for another call. */
export const closeConnections = () => agent.destroy();

/** Returns the service as the other user sees it. */
export const asOtherUser = (service) => ({ ...service, key: service.keys[1] });

/**
 * Makes one HTTP request over a kept connection. The processes of the service take turns.
 * @returns the whole answer
 */
export async function request(service, method, path, { body, headers = {}, keep = true } = {}) {
  const response = await open(service, method, path, body, headers);
  const chunks = [];
  let bytes = 0;
  await eachChunk(response, (chunk) => {
    bytes += chunk.length;
    if (keep) chunks.push(chunk);
  });
  return { status: response.statusCode, bytes, body: Buffer.concat(chunks) };
}

/** Makes a request that has to answer this status. */
export async function expectStatus(status, service, method, path, options) {
  const answer = await request(service, method, path, options);
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.body.toString('utf8', 0, 300)}`);
  return answer;
}

/** Calls POST /execute, which has to answer 200 and exit 0. */
export async function execute(service, session, command, more = {}) {
  const body = JSON.stringify({ session_id: session, command, ...more });
  const answer = await expectStatus(200, service, 'POST', '/execute', { body, headers: JSON_BODY });
  const result = JSON.parse(answer.body);
  if (result.exit_code !== 0) throw new Error(`exit code ${result.exit_code}: ${result.stderr.slice(0, 300)}`);
  return result;
}

/**
 * Makes a JSON call.
 * @returns the parsed answer
 */
export async function callJson(status, service, method, path, value) {
  const options = value === undefined ? {} : { body: JSON.stringify(value), headers: JSON_BODY };
  const { body } = await expectStatus(status, service, method, path, options);
  return body.length === 0 ? null : JSON.parse(body);
}

export const sessionPath = (session, rest = '') => `/sessions/${encodeURIComponent(session)}${rest}`;
export const deleteSession = (service, session) => expectStatus(200, service, 'DELETE', sessionPath(session));

/**
 * Runs a command that prints letters, as a stream of events.
 * @returns the bytes that it wrote, and the milliseconds until the first of them
 */
export async function streamed(service, session, command, more = {}) {
  const began = performance.now();
  const response = await open(service, 'POST', '/execute', JSON.stringify({ session_id: session, command, ...more }), EVENTS);
  let firstMs = null;
  let bytes = 0;
  let exit = null;
  const reader = eventReader((head, length) => {
    if (head.startsWith(OUTPUT_HEAD)) {
      firstMs ??= performance.now() - began;
      bytes += length - OUTPUT_HEAD.length - OUTPUT_TAIL.length;
    } else if (head.startsWith('event: exit')) exit = head;
  });
  await eachChunk(response, reader);
  if (response.statusCode !== 200 || !exit?.includes('"exit_code":0')) throw new Error(`a stream ended with ${exit}`);
  return { bytes, firstMs };
}

/**
 * Reports the head (latin1, at most 256 bytes) and the length of each event. Does not parse the
 * data, because that would cost the client more than the service.
 */
function eventReader(onEvent) {
  let head = '';
  let length = 0;
  let endsInNewline = false;
  const add = (piece) => {
    if (head.length < 256) head += piece.toString('latin1', 0, 256);
    length += piece.length;
  };
  const done = () => {
    onEvent(head, length);
    head = '';
    length = 0;
  };
  return (chunk) => {
    let at = 0;
    if (endsInNewline && chunk[0] === 10) {
      length -= 1;
      done();
      at = 1;
    }
    for (let end = chunk.indexOf('\n\n', at); end >= 0; end = chunk.indexOf('\n\n', at)) {
      add(chunk.subarray(at, end));
      done();
      at = end + 2;
    }
    add(chunk.subarray(at));
    endsInNewline = at < chunk.length && chunk.at(-1) === 10;
  };
}

/**
 * Opens a stream, reads the first event of its command, and then reads nothing more.
 * @returns a function that closes the connection
 */
export function stalledStream({ ports, key }, session, command) {
  const body = JSON.stringify({ session_id: session, command, timeout: 120 });
  const lines = [
    'POST /execute HTTP/1.1',
    'Host: bench',
    `X-API-Key: ${key}`,
    ...Object.entries(EVENTS).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${body.length}`,
  ];
  return new Promise((resolve, reject) => {
    const socket = net.connect(ports[0], '127.0.0.1', () => socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.pause();
      if (data.toString('latin1', 0, 12) === 'HTTP/1.1 200') resolve(() => socket.destroy());
      else reject(new Error(data.toString('utf8', 0, 300)));
    });
  });
}

function open(service, method, path, body, headers) {
  const port = service.ports[service.turn++ % service.ports.length];
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method, path, agent, headers: { 'X-API-Key': service.key, ...headers } };
    http.request(options, resolve).on('error', reject).end(body);
  });
}

function eachChunk(response, onChunk) {
  return new Promise((resolve, reject) => {
    response.on('data', onChunk).on('end', resolve).on('error', reject);
    response.on('close', () => response.complete || reject(new Error('the answer broke off')));
  });
}
