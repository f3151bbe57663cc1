import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { eventually } from './processes';
import type { Client } from './service';

const PROGRAM = readFileSync(join(__dirname, '../programs/web_program.py'));

export interface Preview {
  url: string;
  expires_at: string;
}

/** Starts the test's web program in a session, as a job. Resolves when it listens. */
export async function startWebProgram(client: Client, session: string, port: number): Promise<void> {
  const written = await client.request('PUT', client.workspace(session, 'web_program.py', true), undefined, {
    body: PROGRAM,
    headers: { 'Content-Type': 'application/octet-stream' },
  });
  if (written.status !== 204) throw new Error(`not written: ${written.status}`);
  await client.request('POST', `/sessions/${session}/jobs`, { command: `python3 web_program.py ${port}` });
  await eventually('the program listens', async () => (await listening(client, session)).includes(port));
}

/** @returns the numbers of the ports on which programs of the session listen */
export async function listening(client: Client, session: string): Promise<number[]> {
  const { body } = await client.request<{ ports: { port: number }[] }>('GET', `/sessions/${session}/ports`);
  return body.ports.map(({ port }) => port);
}

/** Gets a URL for a port. */
export async function preview(client: Client, session: string, port: number, options: object = {}): Promise<Preview> {
  const { status, body } = await client.request<Preview & { detail: string }>('POST', `/sessions/${session}/ports/${port}`, options);
  if (status !== 201) throw new Error(`${status} ${body.detail}`);
  return body;
}

export interface PreviewAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

/**
 * Begins a request to a preview. All of these names are this machine, whatever its resolver says.
 */
export function sendTo(url: string, options: RequestOptions = {}) {
  const { host, hostname, port, pathname, search } = new URL(url);
  const path = pathname + search;
  return httpRequest({ host: '127.0.0.1', port, path, ...options, headers: { Host: port === '' ? hostname : host, ...options.headers } });
}

/** Asks a preview, and resolves when its answer begins. */
export async function beginAnswer(url: string): Promise<IncomingMessage> {
  const sent = sendTo(url).end();
  sent.on('error', () => undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

/** Makes a request to a preview. */
export async function getFrom(url: string, options: RequestOptions & { body?: string | Buffer } = {}): Promise<PreviewAnswer> {
  const sent = sendTo(url, options);
  sent.end(options.body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const body = Buffer.concat(await response.toArray()).toString();
  return { status: response.statusCode!, headers: response.headers, body };
}

/** Opens a WebSocket to a preview. */
export function socketTo(url: string, path = '/socket'): WebSocket {
  const { host, port } = new URL(url);
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { Host: host, Origin: new URL(url).origin } });
  socket.on('error', () => undefined);
  return socket;
}
