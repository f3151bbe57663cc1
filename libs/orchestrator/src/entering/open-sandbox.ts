import type { SandboxOptions, SessionRecord } from '@sandbox/sessions';
import type { Channel } from '../channel/channel';
import type { SandboxNetwork } from '../outgoing/sandbox-network';

/** A session's sandbox, for the time of one call. */
export interface OpenSandbox {
  readonly channel: Channel;
  readonly containerId: string;
  /** The sandbox's start that the channel leads into: what ran in another one is gone. */
  readonly startId: string;
  /** The session's record when the call entered it. */
  readonly record: SessionRecord;
  /** The options that the sandbox was made with. */
  readonly options: SandboxOptions;
  /** What its programs may reach. Null if the deployment lets sandboxes reach nothing. */
  readonly network: SandboxNetwork | null;
  /** Whether this call made the session. It is true for one call of a session. */
  readonly created: boolean;
  /**
   * Whether the session's sandbox was made or started anew, and no call had said so when this one
   * entered.
   */
  readonly restarted: boolean;
  /**
   * Resolves with whether this call is the one to say so. It is true for one call, or for two if
   * the store is away. It asks the store only if `restarted` is true, and never rejects.
   */
  readonly takeRestarted: () => Promise<boolean>;
}
