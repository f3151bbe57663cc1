import { AGENT_ARGV } from './channel/agent-source';
import type { Channel } from './channel/channel';
import { openChannel } from './channel/exec-channel';
import type { SandboxRuntime } from './sandbox-runtime';

/** Starts an agent in a sandbox: two engine calls, and then no more for as long as the channel is open. */
export async function openAgentChannel(runtime: SandboxRuntime, sandboxId: string): Promise<Channel> {
  return openChannel(await runtime.exec(sandboxId, AGENT_ARGV, []), sandboxId);
}
