import { Environment, Flag, OneOf, Text, Whole } from '../../validation/fields';
import { MAX_COMMAND_CHARACTERS } from '../../execute/shell-command.dto';
import { Part, Texts } from '../protocol/parts';

/*
 * The messages of `process.Process`, as Protobuf's JSON writes them. A member that has its default
 * value is absent. `Part` members are messages of their own, with a class of their own.
 */

const MAX_PID = 2 ** 32 - 1;
const MAX_ARGS = 1_024;
const MAX_SIZE = 1_000;

export class ProcessConfigMessage {
  @Text({ min: 1, max: 4_096, nul: false })
  cmd: string;

  @Texts({ optional: true, maxItems: MAX_ARGS, max: MAX_COMMAND_CHARACTERS })
  args?: string[];

  @Environment({ optional: true })
  envs?: Record<string, string>;

  @Text({ optional: true, max: 512, nul: false })
  cwd?: string;
}

export class SelectorMessage {
  @Whole({ optional: true, min: 0, max: MAX_PID })
  pid?: number;

  @Text({ optional: true, max: 256 })
  tag?: string;
}

export class StartMessage {
  /** ProcessConfigMessage */
  @Part({})
  process: unknown;

  /** PtyMessage */
  @Part()
  pty?: unknown;

  @Text({ optional: true, max: 256 })
  tag?: string;

  /** Absent means true, as it was before there was this member. */
  @Flag({ optional: true })
  stdin?: boolean;
}

export class PtyMessage {
  /** SizeMessage */
  @Part()
  size?: unknown;
}

export class SizeMessage {
  @Whole({ min: 1, max: MAX_SIZE })
  cols: number;

  @Whole({ min: 1, max: MAX_SIZE })
  rows: number;
}

/** Names a process: that of Connect and CloseStdin. */
export class ProcessMessage {
  /** SelectorMessage */
  @Part({})
  process: unknown;
}

export class UpdateMessage extends ProcessMessage {
  /** PtyMessage */
  @Part()
  pty?: unknown;
}

export class SendInputMessage extends ProcessMessage {
  /** InputMessage */
  @Part()
  input?: unknown;
}

/** One of the two, in base64. */
export class InputMessage {
  @Text({ optional: true })
  stdin?: string;

  @Text({ optional: true })
  pty?: string;
}

export const SIGNALS = { SIGNAL_SIGTERM: 'SIGTERM', SIGNAL_SIGKILL: 'SIGKILL' } as const;

export class SendSignalMessage extends ProcessMessage {
  @OneOf({ values: Object.keys(SIGNALS) })
  signal: keyof typeof SIGNALS;
}
