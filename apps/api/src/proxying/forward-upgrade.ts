import { type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { endToEnd } from './header-pairs';
import { asking, type Forwarded, openRequest, sendAnswer } from './forward-request';

/** How soon the kernel asks whether a silent client is still there. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Sends a client's request for a WebSocket to a program. If the program agrees, both sides are
 * joined: from then on bytes pass unread. Else its answer goes to the client, and the connection is
 * closed.
 * @param head what the client has sent after its request
 * @param respond gives the response for an answer that is no agreement
 * @throws SandboxError PORT_UNREACHABLE if the program does not answer in HTTP; nothing was written
 */
export function forwardUpgrade(socket: Duplex, head: Buffer, forwarded: Forwarded, respond: () => ServerResponse): Promise<void> {
  return asking(forwarded, (resolve, reject) => {
    const headers = [...forwarded.headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
    const upstream = openRequest('GET', { ...forwarded, headers });
    upstream.on('upgrade', (answer, program, first) => {
      resolve();
      socket.write(switchingProtocols(answer), 'latin1');
      joinConnections(socket, head, program, first);
    });
    upstream.on('response', (answer) => {
      try {
        if (sendAnswer(answer, respond(), forwarded)) resolve();
        else reject(new Error('The head of the answer cannot be passed on.'));
      } catch (error) {
        // There is no response on a connection that still owes its client the one before.
        reject(error);
      }
    });
    upstream.on('error', reject);
    upstream.on('close', () => reject(new Error('The connection was closed.')));
    socket.once('close', () => {
      forwarded.connection.destroy();
      resolve();
    });
    if (socket.destroyed) upstream.destroy();
    else upstream.end();
  });
}

/** Makes a response on a connection that Node's server has let go of. It closes the connection. */
export function responseOn(socket: Duplex, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  response.once('finish', () => {
    response.detachSocket(socket as Socket);
    socket.end(() => socket.destroy());
  });
  return response;
}

function switchingProtocols({ rawHeaders }: IncomingMessage): string {
  const headers = [...endToEnd(rawHeaders), ['Connection', 'Upgrade'], ['Upgrade', 'websocket']];
  return `HTTP/1.1 101 Switching Protocols\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** Carries bytes between two connections until both have ended, or one has broken off. */
export function joinConnections(client: Duplex, fromClient: Buffer, program: Duplex, fromProgram: Buffer): void {
  if (client instanceof Socket) {
    // The server's limit on silence is for requests.
    client.setTimeout(0);
    client.setKeepAlive(true, KEEP_ALIVE_MS);
    client.setNoDelay(true);
  }
  for (const [from, to, first] of [
    [client, program, fromClient],
    [program, client, fromProgram],
  ] as const) {
    if (first.length > 0) to.write(first);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      if (!from.readableEnded) to.destroy();
    });
  }
}
