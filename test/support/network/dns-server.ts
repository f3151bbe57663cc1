import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface DnsRecord {
  /** The name it is of, if that is not the name that was asked for. */
  readonly name?: string;
  readonly type: 'A' | 'AAAA' | 'CNAME';
  readonly data: string;
  /** Seconds, 60 if it is not there. */
  readonly ttl?: number;
}

/** What the server says. undefined: nothing at all. */
export type DnsReply = { readonly records: readonly DnsRecord[]; readonly code?: number } | undefined;

export interface DnsServer {
  /** As setServers() takes it. */
  readonly address: string;
  /** The questions so far, such as `A pypi.org`, and `A pypi.org by TCP`. */
  readonly questions: string[];
  close(): void;
}

const TYPES = { A: 1, CNAME: 5, AAAA: 28 };
const TYPE_NAMES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA' };

/**
 * Starts a name server on 127.0.0.1, by UDP and TCP (RFC 1035). For tests.
 * @param answer gets the name and the type of each question
 * @param isTruncated whether the reply by UDP is empty and says that TCP has the whole one
 */
export async function startDnsServer(
  answer: (name: string, type: string) => DnsReply | Promise<DnsReply>,
  isTruncated: (name: string) => boolean = () => false,
): Promise<DnsServer> {
  const questions: string[] = [];
  const { udp, tcp } = await bindBoth();
  udp.on('message', (query, { address, port: to }) => {
    const { name, type } = readQuestion(query);
    questions.push(`${type} ${name}`);
    const send = (reply: DnsReply): void => {
      if (reply === undefined) return;
      const isCut = isTruncated(name);
      udp.send(writeReply(query, isCut ? { records: [] } : reply, isCut), to, address);
    };
    void Promise.resolve(answer(name, type)).then(send);
  });
  tcp.on('connection', (socket) => {
    let unread = Buffer.alloc(0);
    socket
      .on('error', () => undefined)
      .on('data', (data) => {
        unread = Buffer.concat([unread, data]);
        while (unread.length > 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
          const query = unread.subarray(2, 2 + unread.readUInt16BE(0));
          unread = unread.subarray(2 + query.length);
          const { name, type } = readQuestion(query);
          questions.push(`${type} ${name} by TCP`);
          void Promise.resolve(answer(name, type)).then((reply) => {
            const bytes = writeReply(query, reply ?? { records: [] }, false);
            socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]));
          });
        }
      });
  });
  return {
    address: `127.0.0.1:${udp.address().port}`,
    questions,
    close: () => {
      udp.close();
      tcp.close();
    },
  };
}

/** Finds a port that is free for both. On a busy machine, one that is free for UDP may not be. */
async function bindBoth(): Promise<{ udp: Socket; tcp: Server }> {
  for (;;) {
    const tcp = createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const udp = createSocket('udp4').bind((tcp.address() as AddressInfo).port, '127.0.0.1');
    try {
      await once(udp, 'listening');
      return { udp, tcp };
    } catch {
      tcp.close();
    }
  }
}

function readQuestion(query: Buffer): { name: string; type: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  while (query[at] !== 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
    at += 1 + query[at]!;
  }
  const type = query.readUInt16BE(at + 1);
  return { name: labels.join('.').toLowerCase(), type: TYPE_NAMES[type] ?? String(type), end: at + 5 };
}

function writeReply(query: Buffer, { records, code = 0 }: NonNullable<DnsReply>, isCut: boolean): Buffer {
  const { end } = readQuestion(query);
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180 | (isCut ? 0x0200 : 0) | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  return Buffer.concat([head, query.subarray(12, end), ...records.map(writeRecord)]);
}

function writeRecord({ name, type, data, ttl = 60 }: DnsRecord): Buffer {
  const owner = name === undefined ? Buffer.from([0xc0, 12]) : writeName(name);
  const value = type === 'CNAME' ? writeName(data) : Buffer.from(ipaddr.parse(data).toByteArray());
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPES[type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(value.length, 8);
  return Buffer.concat([owner, fixed, value]);
}

function writeName(name: string): Buffer {
  return Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
}
