import type { WorkspacePath } from '../paths/workspace-path';

/** `*` for any file that exists, or entity tags without their quotes. */
export type EntityTags = '*' | readonly string[];

/** Preconditions as the agent takes them. An absent one always holds. */
export interface AgentConditions {
  readonly if_match?: EntityTags;
  readonly if_none_match?: EntityTags;
}

/**
 * The agent's operations on files, besides listing, reading, writing and deleting
 * (agent/PROTOCOL.md).
 */
export type FileRequest =
  | (WorkspacePath & { readonly op: 'stat' | 'mkdir' })
  | ({
      readonly op: 'move';
      readonly from: string;
      readonly from_base64?: string;
      readonly to: string;
      readonly to_base64?: string;
      readonly overwrite: boolean;
    } & AgentConditions)
  | (WorkspacePath & {
      readonly op: 'search';
      readonly glob: string | null;
      readonly glob_of: 'name' | 'below' | 'root';
      readonly pattern: string | null;
      readonly limit: number;
      readonly timeout_ms: number;
    })
  | (WorkspacePath & { readonly op: 'edit'; readonly max_size: number } & AgentConditions);
