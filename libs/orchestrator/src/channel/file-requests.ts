/** `*` for anything that is there, or the tags that are meant, without their quotes. */
export type EntityTags = '*' | readonly string[];

/** Preconditions as the agent takes them; one that is absent holds. */
export interface AgentConditions {
  readonly if_match?: EntityTags;
  readonly if_none_match?: EntityTags;
}

/**
 * The agent's operations on files that neither list, read, write nor delete (agent/PROTOCOL.md).
 */
export type FileRequest =
  | { readonly op: 'stat'; readonly path: string }
  | ({ readonly op: 'move'; readonly from: string; readonly to: string; readonly overwrite: boolean } & AgentConditions)
  | { readonly op: 'mkdir'; readonly path: string }
  | {
      readonly op: 'search';
      readonly path: string;
      readonly glob: string | null;
      readonly pattern: string | null;
      readonly limit: number;
      readonly timeout_ms: number;
    }
  | ({ readonly op: 'edit'; readonly path: string; readonly max_size: number } & AgentConditions);
