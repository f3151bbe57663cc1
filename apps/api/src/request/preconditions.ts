import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { EntityTags, Preconditions } from '@sandbox/orchestrator';
import type { Request } from 'express';

/**
 * One entity tag at the front of a list, with what separates it from the next (RFC 9110, sections
 * 8.8.3 and 5.6.1).
 */
const LIST_ELEMENT = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,[ \t,]*|$)/;

/** The If-Match and If-None-Match headers of the request. */
export const IfHeaders = createParamDecorator((_data: unknown, context: ExecutionContext): Preconditions => {
  return preconditions(context.switchToHttp().getRequest<Request>());
});

/**
 * Reads the preconditions of a request. If-Match compares strongly, so a weak tag matches nothing;
 * If-None-Match compares weakly (RFC 9110, section 13.1). If-Unmodified-Since and If-Modified-Since
 * are ignored, as section 13.1.4 says for a resource without such a date.
 * @throws SandboxError BAD_REQUEST for a malformed header: ignoring it could destroy what it
 * protects
 */
export function preconditions({ headers }: Pick<IncomingMessage, 'headers'>): Preconditions {
  return {
    ifMatch: entityTags('If-Match', headers['if-match'], false),
    ifNoneMatch: entityTags('If-None-Match', headers['if-none-match'], true),
  };
}

/**
 * Whether the client already has the file with this tag, so that it need not be sent.
 * @param tag as it stands in the ETag header
 * @throws SandboxError PRECONDITION_FAILED if If-Match names another tag
 */
export function isUnchanged({ ifMatch, ifNoneMatch }: Preconditions, tag: string): boolean {
  if (ifMatch !== undefined && !names(ifMatch, tag))
    throw new SandboxError(ErrorCode.PRECONDITION_FAILED, 'The file is not, or no longer, the one that If-Match names.');
  return ifNoneMatch !== undefined && names(ifNoneMatch, tag);
}

function names(tags: EntityTags, tag: string): boolean {
  return tags === '*' || tags.some((each) => `"${each}"` === tag);
}

function entityTags(name: string, value: string | undefined, weak: boolean): EntityTags | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (text === '*') return '*';
  const tags: string[] = [];
  let rest = text.replace(/^[ \t,]+/, '');
  if (rest === '') throw malformed(name);
  while (rest !== '') {
    const element = LIST_ELEMENT.exec(rest);
    if (element === null) throw malformed(name);
    if (weak || element[1] === undefined) tags.push(element[2]!);
    rest = rest.slice(element[0].length);
  }
  return tags;
}

function malformed(name: string): SandboxError {
  return new SandboxError(ErrorCode.BAD_REQUEST, `The header ${name} is neither * nor a list of entity tags in double quotes.`);
}
