import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import { parseFlag } from '../channel/agent-values';
import { SessionEntrance } from '../entering/session-entrance';
import type { GivenPath } from '../paths/workspace-path';
import { parseDiff } from './diff-answer';
import { agentConditions, collectedFileCall, FILE_CALL_DEADLINE_MS, type FileCallNews, notRoot, type Preconditions } from './file-call';
import { parseEtag } from './workspace-answers';

/** One replacement in a text file. */
export interface TextEdit {
  /** The text to replace, exactly as the file has it. */
  readonly old: string;
  readonly new: string;
  /** Replaces every occurrence. Otherwise the text has to occur once. */
  readonly all?: boolean;
}

/** The result of an edit. */
export interface EditResult {
  /** A unified diff. */
  diff: string;
  etag: string;
  /** The diff was cut; the edit is complete. */
  truncated: boolean;
}

/** An agent that keeps to its protocol stops before this limit. */
const MAX_DIFF_BYTES = 2 * 1024 * 1024;

/** Edits text files. A session is created on first use. */
@Injectable()
export class WorkspaceEditService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /**
   * Applies all edits in order, or none.
   * @throws SandboxError EDIT_NOT_APPLICABLE, PRECONDITION_FAILED, and what a write throws
   */
  async editFile(
    user: User,
    sessionId: string,
    path: GivenPath,
    edits: readonly TextEdit[],
    signal?: AbortSignal,
    conditions: Preconditions = {},
  ): Promise<EditResult & FileCallNews> {
    const { output, end, session_created } = await collectedFileCall(
      this,
      'workspace_edit',
      { user, sessionId, path },
      (file) => ({
        op: 'edit',
        ...notRoot(file),
        max_size: this.config.WORKSPACE_MAX_FILE_SIZE_BYTES,
        ...agentConditions(conditions),
      }),
      { input: editsInput(edits), deadlineMs: FILE_CALL_DEADLINE_MS, signal },
      { maxBytes: MAX_DIFF_BYTES, detail: 'The sandbox sent a longer difference than it may.' },
    );
    return { diff: parseDiff(output), etag: parseEtag(end.etag), truncated: parseFlag(end.truncated), session_created };
  }
}

/** The edits are input and no part of the request, because a request has to fit one frame. */
function editsInput(edits: readonly TextEdit[]): Buffer {
  return Buffer.from(JSON.stringify(edits.map((edit) => ({ old: edit.old, new: edit.new, all: edit.all === true }))));
}
