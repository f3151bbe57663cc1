import type { Duplex } from 'node:stream';
import { ErrorCode, SandboxError, within } from '@sandbox/errors';
import type { SandboxProcess } from './sandbox-process';
import { findJsonObject, plainText } from './agent-answer';
import { agentBundle } from './agent-source';
import type { Transport } from './channel';
import type { DirectListener } from './direct-listener';
import { AgentFrame, CHANNEL_ID, type Frame, FrameReader, MAX_AGENT_PAYLOAD_BYTES } from './frames';

const PROTOCOL_VERSION = 1;
const HELLO_TIMEOUT_MS = 10_000;
/** How long the engine may take to report how a process ended, once its stream has ended. */
const ENDED_TIMEOUT_MS = 2_000;
/**
 * How many of the bytes before HELLO are kept. An engine that cannot start the program reports it
 * there.
 */
const MAX_PREAMBLE_BYTES = 2_048;

/** The way that the agent has chosen. */
export interface AgentStream {
  readonly stream: Duplex;
  readonly transport: Transport;
  /** Reads on from the byte after HELLO. */
  readonly reader: FrameReader;
}

/**
 * Sends the agent's source into the process and waits for its HELLO, on the direct socket or on the
 * process's stream. The agent chooses. The way that it does not take is closed: a process whose
 * agent came by the socket is left without stdin, and ends with that socket.
 *
 * On failure it destroys the stream.
 * @param direct the socket on which the agent may come; null if there is none
 * @param start takes over the stream in the same turn of the event loop, so that it misses no event
 * @throws SandboxError SANDBOX_UNRESPONSIVE after 10 s; SANDBOX_IMAGE_UNUSABLE, SANDBOX_EXHAUSTED
 * or SANDBOX_LOST if the process ended first
 */
export async function handshake<T>(process: SandboxProcess, direct: DirectListener | null, start: (agent: AgentStream) => T): Promise<T> {
  const hello = await receiveHello(process, direct, start);
  if ('started' in hello) return hello.started;
  try {
    if (hello.failure === 'silent') {
      throw new SandboxError(
        ErrorCode.SANDBOX_UNRESPONSIVE,
        `The sandbox did not answer within ${HELLO_TIMEOUT_MS / 1000} s of its start.`,
      );
    }
    throw await whyNotStarted(process, hello.preamble);
  } finally {
    process.stream.destroy();
  }
}

type Failure = 'silent' | 'ended' | 'not-an-agent';
type Hello<T> = { readonly started: T } | { readonly failure: Failure; readonly preamble: string };

function receiveHello<T>(process: SandboxProcess, direct: DirectListener | null, start: (agent: AgentStream) => T): Promise<Hello<T>> {
  return new Promise((resolve) => {
    let preamble = Buffer.alloc(0);
    let isOver = false;
    /** The ways by which HELLO can still come, each with what stops listening to it. */
    const ways = new Map<Duplex, () => void>();

    const stopListening = (stream: Duplex): void => {
      ways.get(stream)?.();
      ways.delete(stream);
    };
    /** Errors of a way that is not taken tell nothing new. */
    const leave = (stream: Duplex): void => {
      stopListening(stream);
      stream.on('error', ignore);
      if (stream === process.stream) stream.resume();
      else stream.destroy();
    };
    const finish = (hello: Hello<T>): void => {
      isOver = true;
      clearTimeout(timer);
      direct?.close();
      for (const stream of [...ways.keys()]) leave(stream);
      resolve(hello);
    };
    const fail = (failure: Failure): void => finish({ failure, preamble: preamble.toString('utf8') });
    const succeed = (way: AgentStream): void => {
      stopListening(way.stream);
      const started = start(way);
      finish({ started });
      if (way.transport === 'direct') process.stream.destroy();
    };
    const listen = (stream: Duplex, transport: Transport): void => {
      const reader = new FrameReader(MAX_AGENT_PAYLOAD_BYTES);
      const onData = (chunk: Buffer): void => {
        if (transport === 'exec' && preamble.length < MAX_PREAMBLE_BYTES)
          preamble = Buffer.concat([preamble, chunk.subarray(0, MAX_PREAMBLE_BYTES - preamble.length)]);
        const { frames, violation } = reader.push(chunk);
        if (frames.length === 0 && violation === null) return;
        if (isHello(frames) && violation === null) succeed({ stream, transport, reader });
        else fail('not-an-agent');
      };
      // An agent that has come by the socket closes the process's stream before it says HELLO.
      const onEnd = (): void => {
        leave(stream);
        if (ways.size === 0) fail('ended');
      };
      stream.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onEnd).resume();
      ways.set(stream, () => stream.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onEnd));
    };

    const timer = setTimeout(() => fail('silent'), HELLO_TIMEOUT_MS);
    listen(process.stream, 'exec');
    void direct?.connection.then((socket) => {
      if (isOver) socket.on('error', ignore).destroy();
      else listen(socket, 'direct');
    });
    process.stream.cork();
    for (const piece of agentBundle(direct)) process.stream.write(piece);
    process.stream.uncork();
  });
}

function isHello([first, ...more]: readonly Frame[]): boolean {
  return (
    more.length === 0 &&
    first?.type === AgentFrame.HELLO &&
    first.id === CHANNEL_ID &&
    findJsonObject(first.payload)?.protocol === PROTOCOL_VERSION
  );
}

function ignore(): void {}

async function whyNotStarted(process: SandboxProcess, preamble: string): Promise<SandboxError> {
  const { exitCode, stderr } = await within(ENDED_TIMEOUT_MS, process.ended, () => ({ exitCode: null, stderr: '' }));
  return startFailure(exitCode, `${stderr}\n${preamble}`);
}

const NEEDS = 'A sandbox image needs `sh` and python3 >= 3.8.';

/**
 * Finds out why the agent did not start: the image cannot be used, the sandbox is full, or it is
 * gone.
 * @param output what the process, or the engine in its place, wrote. No client is shown it.
 */
export function startFailure(exitCode: number | null, output: string): SandboxError {
  const cause = new Error(`agent did not start: exit code ${exitCode}: ${plainText(output)}`);
  const unusable = (what: string): SandboxError => new SandboxError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, `${what} ${NEEDS}`, { cause });

  if (/resource temporarily unavailable|cannot allocate memory|can't start new thread|MemoryError|no space left/i.test(output)) {
    return new SandboxError(ErrorCode.SANDBOX_EXHAUSTED, 'The sandbox has no memory or processes left to take a call.', {
      cause,
      retryAfter: 1,
    });
  }
  if (/SyntaxError|needs python|python.* 3\.8/i.test(output)) return unusable('The python3 of the sandbox image is too old.');
  if (/ctypes/.test(output)) return unusable('The python3 of the sandbox image lacks its ctypes module.');
  if (/ModuleNotFoundError|ImportError|No module named/.test(output))
    return unusable('The python3 of the sandbox image lacks part of its standard library.');
  // "No such file" alone, or exit code 127, can also mean that the sandbox is being removed while
  // the engine starts the agent in it.
  if (/executable file not found|python3[^\n]*(not found|no such file)/i.test(output)) return unusable('The sandbox image has no python3.');
  if (exitCode === 126 && /permission denied|exec format error/i.test(output))
    return unusable('The python3 of the sandbox image cannot be executed.');
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox ended before it could take the call.', { cause });
}
