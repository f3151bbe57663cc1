import type { ByteRange, Preconditions, WorkspaceService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Request, Response } from 'express';
import { isUnchanged } from '../../request/preconditions';
import { byteRange } from './byte-range';
import { setContentRange } from './content-range';
import { givenPath } from '../dto/given-path';
import { lineRange } from './line-range';
import { sendFile } from './send-file';
import { READ_ADVICE, withSizeAdvice } from './size-advice';
import { wantsBytes } from './wants-bytes';
import type { ReadQuery } from '../dto/workspace.dto';

/** One read of a file, by path, for one user. */
export interface ReadCall {
  readonly user: User;
  readonly sessionId: string;
  readonly query: ReadQuery;
  readonly signal: AbortSignal;
  readonly conditions: Preconditions;
}

/**
 * Answers with a file, or a part of it, in the form that the client prefers. If the client has the
 * file already, the answer is a 304.
 */
export async function answerWithFile(workspace: WorkspaceService, call: ReadCall, request: Request, response: Response): Promise<void> {
  const range = byteRange(request);
  if (wantsBytes(request, range !== undefined)) await answerWithBytes(workspace, call, range, response);
  else await withSizeAdvice(READ_ADVICE, () => answerWithJson(workspace, call, range, response));
}

async function answerWithJson(
  workspace: WorkspaceService,
  { user, sessionId, query, signal, conditions }: ReadCall,
  range: ByteRange | undefined,
  response: Response,
): Promise<void> {
  const part = lineRange(query, range !== undefined) ?? range;
  const { content, encoding, ...file } = await workspace.readText(user, sessionId, givenPath(query), signal, part);
  const unchanged = isUnchanged(conditions, file.etag);
  response.set('ETag', file.etag);
  if (unchanged) {
    response.status(304).end();
    return;
  }
  setContentRange(response, file);
  response.json({ content, encoding });
}

async function answerWithBytes(
  workspace: WorkspaceService,
  { user, sessionId, query, signal, conditions }: ReadCall,
  range: ByteRange | undefined,
  response: Response,
): Promise<void> {
  const file = await workspace.openRead(user, sessionId, givenPath(query), lineRange(query, range !== undefined) ?? range, signal);
  try {
    const unchanged = isUnchanged(conditions, file.etag);
    response.set('ETag', file.etag);
    if (!unchanged) return await sendFile(response, file);
  } catch (error) {
    file.content.destroy();
    throw error;
  }
  file.content.destroy();
  response.status(304).end();
}
