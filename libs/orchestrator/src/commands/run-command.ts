import type { CallOptions } from '../channel/channel';
import type { OpenSandbox } from '../entering/open-sandbox';
import { type NetworkReport, watchDenials } from '../outgoing/network-report';
import { execEnd, type ExecEnd } from './exec-end';
import type { ExecRequest, ParsedExecuteCommand } from './execute-command';
import { withSessionEnv } from './shell-command';

/** A parsed command with the shell that the policy chose. */
export interface RunnableCommand extends ParsedExecuteCommand {
  readonly request: ExecRequest;
}

/** How a command ended, how long the call took, and what the network refused meanwhile. */
export interface CommandEnd extends ExecEnd {
  readonly seconds: number;
  readonly network: NetworkReport;
}

/**
 * Has the sandbox's agent run a command.
 * @param signal aborts the command and all that it has started
 * @throws RequestNotSentError if the channel is closed, so that another sandbox may be tried
 * @throws SandboxError the agent's own, or as Channel.sendRequest
 */
export async function runCommand(
  { channel, options, network }: OpenSandbox,
  { request, stdin, deadlineMs }: RunnableCommand,
  onOutput: CallOptions['onOutput'],
  signal: AbortSignal | undefined,
): Promise<CommandEnd> {
  const started = performance.now();
  const refused = watchDenials(network);
  const end = await channel.sendRequest(withSessionEnv(request, options), {
    input: stdin === undefined ? undefined : Buffer.from(stdin),
    onOutput,
    signal,
    deadlineMs,
  });
  const seconds = (performance.now() - started) / 1000;
  return { ...execEnd(end), seconds, network: await refused() };
}
