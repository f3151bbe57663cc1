import { Flag, Text, Whole } from '../../validation/fields';

/* The messages of `filesystem.Filesystem`, as Protobuf's JSON writes them. */

const MAX_PATH_CHARACTERS = 8_192;
const MAX_DEPTH = 20;

/** Stat, MakeDir, Remove. */
export class PathMessage {
  @Text({ optional: true, max: MAX_PATH_CHARACTERS })
  path?: string;
}

export class ListDirMessage extends PathMessage {
  @Whole({ optional: true, min: 0, max: MAX_DEPTH })
  depth?: number;
}

export class WatchDirMessage extends PathMessage {
  @Flag({ optional: true })
  recursive?: boolean;

  /** Whether each event says what the entry is. */
  @Flag({ optional: true })
  includeEntry?: boolean;

  /** Lets a directory on a network mount be watched. No workspace is on one. */
  @Flag({ optional: true })
  allowNetworkMounts?: boolean;
}

export class MoveMessage {
  @Text({ min: 1, max: MAX_PATH_CHARACTERS })
  source: string;

  @Text({ min: 1, max: MAX_PATH_CHARACTERS })
  destination: string;
}

/** The query of `/files`. */
export class FilesQuery extends PathMessage {
  @Text({ optional: true, max: 64 })
  username?: string;
}

/** The query of a signed address. SignedAdmission has looked at what it adds. */
export class SignedFilesQuery extends FilesQuery {
  @Text({ max: 64 })
  signature: string;

  @Text({ optional: true, max: 16 })
  signature_expiration?: string;
}
