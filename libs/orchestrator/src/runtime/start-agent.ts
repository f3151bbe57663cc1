import { AGENT_ARGV } from '../channel/agent-source';
import type { Channel } from '../channel/channel';
import type { DirectListener } from '../channel/direct-listener';
import type { SandboxProcess } from '../channel/sandbox-process';
import { openChannel } from '../channel/agent-channel';
import { provideSurroundings } from './provide-surroundings';
import type { Sandbox, SandboxRuntime, SandboxStart } from './sandbox-runtime';

/** A sandbox and this process's channel into it. */
export interface Connection {
  readonly sandbox: Sandbox;
  readonly channel: Channel;
  /** The sandbox's start that the channel leads into. The channel ends with it. */
  readonly start: SandboxStart;
}

/**
 * Starts an agent in a sandbox and opens a channel to it. That takes three engine calls. The open
 * channel takes no more.
 */
export async function openAgentChannel(runtime: SandboxRuntime, sandboxId: string): Promise<Channel> {
  return openTo(runtime, sandboxId, await startAgent(runtime, sandboxId));
}

/**
 * Opens a channel and asks which start the sandbox is in. It asks when the agent's process is
 * there, so the answer is the start that the channel leads into. The agent comes up meanwhile, so
 * the question costs no time.
 */
export async function connectTo(runtime: SandboxRuntime, sandbox: Sandbox): Promise<Connection> {
  const opening = openTo(runtime, sandbox.id, await startAgent(runtime, sandbox.id));
  try {
    const [channel, start] = await Promise.all([opening, runtime.startOf(sandbox.id)]);
    return { sandbox, channel, start };
  } catch (error) {
    opening.then((channel) => channel.close()).catch(() => undefined);
    throw error;
  }
}

/** Opens the channel, and lets the agent write what programs are to find. */
async function openTo(
  { surroundings, leaseSeconds }: SandboxRuntime,
  sandboxId: string,
  { process, direct }: StartedAgent,
): Promise<Channel> {
  const channel = await openChannel(process, sandboxId, direct, leaseSeconds);
  try {
    if (surroundings) await provideSurroundings(channel, surroundings, sandboxId);
    return channel;
  } catch (error) {
    channel.close();
    throw error;
  }
}

interface StartedAgent {
  readonly process: SandboxProcess;
  readonly direct: DirectListener | null;
}

/** Starts the agent's process and listens for it. If the one fails, the other is closed. */
async function startAgent(runtime: SandboxRuntime, sandboxId: string): Promise<StartedAgent> {
  // Both are waited for in any case. A failure that nobody waits for would end this API process.
  const [listening, starting] = await Promise.allSettled([runtime.listenDirectly(sandboxId), runtime.startProcess(sandboxId, AGENT_ARGV)]);
  if (starting.status === 'fulfilled' && listening.status === 'fulfilled') return { process: starting.value, direct: listening.value };
  if (listening.status === 'fulfilled') listening.value?.close();
  if (starting.status === 'fulfilled') starting.value.stream.destroy();
  throw starting.status === 'rejected' ? starting.reason : (listening as PromiseRejectedResult).reason;
}
