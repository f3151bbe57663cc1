import { AGENT_ARGV } from '../channel/agent-source';
import type { Channel } from '../channel/channel';
import { openChannel } from '../channel/exec-channel';
import type { Sandbox, SandboxRuntime, SandboxStart } from './sandbox-runtime';

/** A sandbox, and the channel into it that this process has. */
export interface Connection {
  readonly sandbox: Sandbox;
  readonly channel: Channel;
  /** The one that the channel leads into: it ends with it. */
  readonly start: SandboxStart;
}

/** Starts an agent in a sandbox: two engine calls, and then no more for as long as the channel is open. */
export async function openAgentChannel(runtime: SandboxRuntime, sandboxId: string): Promise<Channel> {
  return openChannel(await runtime.exec(sandboxId, AGENT_ARGV), sandboxId);
}

/**
 * As `openAgentChannel`, and asks which start the sandbox is in. It asks once the agent's process
 * is there, so that an open channel is never taken for one into an earlier start; and while the
 * agent comes up, so that nobody waits for it.
 */
export async function connectTo(runtime: SandboxRuntime, sandbox: Sandbox): Promise<Connection> {
  const opening = openChannel(await runtime.exec(sandbox.id, AGENT_ARGV), sandbox.id);
  try {
    const [channel, start] = await Promise.all([opening, runtime.startOf(sandbox.id)]);
    return { sandbox, channel, start };
  } catch (error) {
    opening.then((channel) => channel.close()).catch(() => undefined);
    throw error;
  }
}
