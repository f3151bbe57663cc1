import { GrowingBuffer } from '../bytes/growing-buffer';
import { plainText } from '../channel/agent-answer';
import { isCount, parseAgentJson, parseObject, unsound } from '../channel/agent-values';
import type { Channel } from '../channel/channel';

/** A port of a sandbox on which a program listens. */
export interface ListeningPort {
  port: number;
  /**
   * Where it listens: `127.0.0.1` and `::1` are the sandbox itself, `0.0.0.0` and `::` all there
   * is.
   */
  address: string;
  /** The command line, cut to 200 characters; null if it is not known. */
  program: string | null;
}

const LIST_DEADLINE_MS = 10_000;
/** An agent lists at most this many. */
const MAX_PORTS = 256;
const MAX_LIST_BYTES = 512 * 1024;
const ADDRESS = /^[0-9a-f:.]{2,45}$/;

/**
 * Asks the agent which TCP ports are listened on.
 * @returns them in the order of their numbers
 * @throws SandboxError SANDBOX_LOST if the answer makes no sense; what a request throws
 */
export async function listListeningPorts(channel: Channel, signal?: AbortSignal): Promise<ListeningPort[]> {
  const bytes = new GrowingBuffer(MAX_LIST_BYTES);
  const onOutput = (_stream: unknown, chunk: Buffer): void => {
    if (bytes.length + chunk.length > MAX_LIST_BYTES) throw unsound();
    bytes.append(chunk);
  };
  await channel.sendRequest({ op: 'list_ports' }, { onOutput, signal, deadlineMs: LIST_DEADLINE_MS });
  const lines = bytes
    .takeBytes()
    .toString('utf8')
    .split('\n', MAX_PORTS + 2);
  if (lines.pop() !== '' || lines.length > MAX_PORTS) throw unsound();
  return lines.map(parseLine).sort((a, b) => a.port - b.port);
}

function parseLine(line: string): ListeningPort {
  let value: unknown;
  try {
    value = parseAgentJson(line);
  } catch {
    throw unsound();
  }
  const { port, address, program } = parseObject(value);
  if (!isCount(port) || port < 1 || port > 65_535 || typeof address !== 'string' || !ADDRESS.test(address)) throw unsound();
  if (program !== null && typeof program !== 'string') throw unsound();
  return { port, address, program: program === null ? null : plainText(program) };
}
