import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Tells queued responses that their client has gone. If a client pipelines several requests on one
 * connection, Node emits `close` only on the response whose turn it is. The requests behind it
 * would go on working for nobody.
 */
export function tellQueuedResponses(server: Server): void {
  const queued = new WeakMap<Socket, Set<ServerResponse>>();
  server.prependListener('request', ({ socket }, response) => {
    if (response.socket !== null) return;
    const others = queued.get(socket) ?? queueOf(socket);
    queued.set(socket, others);
    others.add(response);
    response.once('close', () => others.delete(response));
  });
}

function queueOf(socket: Socket): Set<ServerResponse> {
  const responses = new Set<ServerResponse>();
  socket.once('close', () => {
    for (const response of [...responses]) {
      if (response.socket !== null) continue;
      response.destroy();
      response.emit('close');
    }
  });
  return responses;
}
