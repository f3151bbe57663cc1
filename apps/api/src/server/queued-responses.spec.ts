import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tellQueuedResponses } from './queued-responses';

describe('tellQueuedResponses', () => {
  it('emits close once on each queued response when the client has gone', async () => {
    const server = createServer();
    tellQueuedResponses(server);
    const closed: number[] = [];
    const responses: ServerResponse[] = [];
    const begun = new Promise<void>((resolve) => {
      server.on('request', (_request, response) => {
        const nth = responses.push(response);
        response.on('close', () => closed.push(nth));
        if (nth === 4) resolve();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(4));
    await begun;
    // Its turn is over: the second has the socket.
    responses[0]!.end();
    await once(client, 'data');
    client.destroy();
    while (closed.length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(closed.sort()).toEqual([1, 2, 3, 4]);
    expect(responses.map(({ destroyed }) => destroyed)).toEqual([true, true, true, true]);
    server.close();
  });
});
