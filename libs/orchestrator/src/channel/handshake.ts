import { ErrorCode, SandboxError, within } from '@sandbox/errors';
import type { SandboxProcess } from './sandbox-process';
import { findJsonObject, plainText } from './agent-answer';
import { agentBundle } from './agent-source';
import { AgentFrame, CHANNEL_ID, FrameReader, MAX_AGENT_PAYLOAD_BYTES } from './frames';

const PROTOCOL_VERSION = 1;
const HELLO_TIMEOUT_MS = 10_000;
/** How long the engine may take to report how a process ended, once its stream has ended. */
const ENDED_TIMEOUT_MS = 2_000;
/**
 * How many of the bytes before HELLO are kept. An engine that cannot start the program reports it
 * there.
 */
const MAX_PREAMBLE_BYTES = 2_048;

/**
 * Sends the agent's source into the process and waits for its HELLO. On failure it destroys the
 * stream.
 * @param start takes over the stream in the same turn of the event loop, so that it misses no event
 * @throws SandboxError SANDBOX_UNRESPONSIVE after 10 s; SANDBOX_IMAGE_UNUSABLE, SANDBOX_EXHAUSTED
 * or SANDBOX_LOST if the process ended first
 */
export async function handshake<T>(process: SandboxProcess, start: (reader: FrameReader) => T): Promise<T> {
  const hello = await receiveHello(process, start);
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

type Hello<T> = { readonly started: T } | { readonly failure: 'silent' | 'ended' | 'not-an-agent'; readonly preamble: string };

function receiveHello<T>({ stream }: SandboxProcess, start: (reader: FrameReader) => T): Promise<Hello<T>> {
  return new Promise((resolve) => {
    const reader = new FrameReader(MAX_AGENT_PAYLOAD_BYTES);
    let preamble = Buffer.alloc(0);

    const onData = (chunk: Buffer): void => {
      if (preamble.length < MAX_PREAMBLE_BYTES)
        preamble = Buffer.concat([preamble, chunk.subarray(0, MAX_PREAMBLE_BYTES - preamble.length)]);
      const { frames, violation } = reader.push(chunk);
      const [first, ...more] = frames;
      if (first === undefined && violation === null) return;
      const isHello =
        first?.type === AgentFrame.HELLO && first.id === CHANNEL_ID && findJsonObject(first.payload)?.protocol === PROTOCOL_VERSION;
      if (!isHello || more.length > 0 || violation !== null) return finish('not-an-agent');
      detach();
      resolve({ started: start(reader) });
    };
    const onEnd = (): void => finish('ended');
    const timer = setTimeout(() => finish('silent'), HELLO_TIMEOUT_MS);
    const finish = (failure: 'silent' | 'ended' | 'not-an-agent'): void => {
      detach();
      // The stream is about to be destroyed. Its errors until then tell nothing new.
      stream.on('error', ignore);
      stream.resume();
      resolve({ failure, preamble: preamble.toString('utf8') });
    };
    const detach = (): void => {
      clearTimeout(timer);
      stream.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onEnd);
    };

    stream.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onEnd);
    stream.write(agentBundle());
  });
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
