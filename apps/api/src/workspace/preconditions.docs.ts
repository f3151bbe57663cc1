import { applyDecorators } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';

const TAG = { type: 'string', example: '"2a.4d2.18a1b2c3d4e5f601.18a1b2c3d4e5f601"' } as const;

/** Documents the headers If-Match and If-None-Match, and what they are compared with. */
export function ApiIfHeaders(subject: { match?: string; noneMatch?: string } = {}): MethodDecorator {
  const match = subject.match ?? 'the file';
  const noneMatch = subject.noneMatch ?? match;
  return applyDecorators(
    ApiHeader({
      name: 'If-Match',
      required: false,
      description: `The call is made only where ${match} has one of these entity tags, or with \`*\` where there is any`,
      schema: TAG,
    }),
    ApiHeader({
      name: 'If-None-Match',
      required: false,
      description: `The call is made only where ${noneMatch} has none of these entity tags, or with \`*\` where there is nothing`,
      schema: { type: 'string', example: '*' },
    }),
  );
}

/** The header of an answer. */
export const ETAG_HEADER = { ETag: { description: 'The file’s entity tag, for If-Match', schema: TAG } };
