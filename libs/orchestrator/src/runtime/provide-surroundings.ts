import { rootCertificates } from 'node:tls';
import { Logger } from '@nestjs/common';
import type { Channel } from '../channel/channel';
import type { Surroundings } from '../surroundings/surroundings';

const PROVIDE_MS = 10_000;

const logger = new Logger('Surroundings');

/**
 * Has the agent write the files of the surroundings. Call it before anything else runs on a new
 * channel: a sandbox that was started again has lost them.
 *
 * A sandbox can be without room for them, because its programs have used that up. The session then
 * goes on without them.
 * @throws what the channel throws when it breaks
 */
export async function provideSurroundings(channel: Channel, surroundings: Surroundings, sandboxId: string): Promise<void> {
  const { files, trust } = surroundings;
  const provide = async (otherwise: string | null): Promise<boolean> => {
    const request = { op: 'provide_files', files, trust: trust && { ...trust, otherwise } } as const;
    return (await channel.sendRequest(request, { deadlineMs: PROVIDE_MS })).trusted === true;
  };
  try {
    // Node's own are 220 KB, which few images need.
    if (!(await provide(null)) && trust !== null) await provide(`${rootCertificates.join('\n')}\n`);
  } catch (error) {
    if (!channel.open) throw error;
    logger.warn({ msg: 'a sandbox is without the files of mirrors and certificates', sandbox: sandboxId, error: (error as Error).message });
  }
}
