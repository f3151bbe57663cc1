import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Request } from 'express';
import { EVENT_STREAM } from '../request/event-stream';
import { BYTES, JSON_TYPE } from '../request/media-types';

const FORMS = [JSON_TYPE, EVENT_STREAM, BYTES] as const;

/**
 * The form of a job's output that the client prefers. A client that takes anything gets JSON.
 * @throws SandboxError NOT_ACCEPTABLE if it takes none of them
 */
export function outputForm(request: Request): (typeof FORMS)[number] {
  const preferred = request.accepts([...FORMS]);
  if (preferred === false) throw new SandboxError(ErrorCode.NOT_ACCEPTABLE, `A job’s output comes as ${FORMS.join(', ')}.`);
  return preferred as (typeof FORMS)[number];
}
