import type { Preconditions, WorkspaceService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Request, Response } from 'express';
import { isUnchanged } from '../http/preconditions';
import { byteRange } from './byte-range';
import { lineRange } from './line-range';
import { sendFile } from './send-file';
import { wantsBytes } from './wants-bytes';
import type { ReadQuery } from './workspace.dto';

export interface ReadCall {
  readonly user: User;
  readonly sessionId: string;
  readonly query: ReadQuery;
  readonly signal: AbortSignal;
  readonly conditions: Preconditions;
}

/** Answers with a file, or a part of it, in the form that the client prefers; with 304 where it has it already. */
export async function answerWithFile(workspace: WorkspaceService, call: ReadCall, request: Request, response: Response): Promise<void> {
  if (wantsBytes(request)) await answerWithBytes(workspace, call, request, response);
  else await answerWithJson(workspace, call, response);
}

async function answerWithJson(
  workspace: WorkspaceService,
  { user, sessionId, query, signal, conditions }: ReadCall,
  response: Response,
): Promise<void> {
  const { etag, ...file } = await workspace.readText(user, sessionId, query.path, signal, lineRange(query, false));
  const unchanged = isUnchanged(conditions, etag);
  response.set('ETag', etag);
  if (unchanged) response.status(304).end();
  else response.json(file);
}

async function answerWithBytes(
  workspace: WorkspaceService,
  { user, sessionId, query, signal, conditions }: ReadCall,
  request: Request,
  response: Response,
): Promise<void> {
  const range = byteRange(request);
  const file = await workspace.openRead(user, sessionId, query.path, lineRange(query, range !== undefined) ?? range, signal);
  try {
    const unchanged = isUnchanged(conditions, file.etag);
    response.set('ETag', file.etag);
    if (!unchanged) return await sendFile(response, file, range !== undefined);
  } catch (error) {
    file.content.destroy();
    throw error;
  }
  file.content.destroy();
  response.status(304).end();
}
