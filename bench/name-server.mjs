/** A DNS server on loopback, for names of the bench. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const TYPE_A = 1;

/**
 * Answers every name with one IPv4 address.
 * @returns its `address`, as EGRESS_DNS takes it, and `stop`
 */
export async function startNameServer(ip) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('message', (query, { address, port }) => socket.send(answer(query, ip), port, address));
  return { address: `127.0.0.1:${socket.address().port}`, stop: () => socket.close() };
}

function answer(query, ip) {
  const end = query.indexOf(0, 12) + 5;
  const isA = query.readUInt16BE(end - 4) === TYPE_A;
  const head = Buffer.from([query[0], query[1], 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
  const record = Buffer.from([0xc0, 0x0c, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, ...ip.split('.').map(Number)]);
  return Buffer.concat([head, query.subarray(12, end), ...(isA ? [record] : [])]);
}
