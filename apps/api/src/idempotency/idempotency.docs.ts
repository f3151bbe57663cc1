import { ApiHeader } from '@nestjs/swagger';
import { REPLAYED_HEADER } from './answer-once';
import { IDEMPOTENCY_KEY, MAX_KEY_CHARACTERS } from './idempotency-key';

/** Documents the header Idempotency-Key. */
export function ApiIdempotencyKey(): MethodDecorator {
  return ApiHeader({
    name: IDEMPOTENCY_KEY,
    required: false,
    description:
      `A key of your choosing for this one request, of 1 to ${MAX_KEY_CHARACTERS} printable ASCII characters, in double quotes. ` +
      'The request is run once, also if its client goes away: sent again with the same key and body, it gets the same answer, for 24 hours. ' +
      'With another body it is a 422, while it runs a 409 with Retry-After. A 409 without Retry-After says that its answer is not there, and that it is not run again. ' +
      'An error after which nothing has run is not kept. With SESSION_STORE=memory, a restart of the service forgets all keys.',
    schema: { type: 'string', example: '"8e03978e-40d5-43e8-bc93-6894a57f9324"' },
  });
}

/** The header of an answer that an earlier call had. */
export const REPLAYED = {
  [REPLAYED_HEADER]: {
    description: 'Present if this is the answer of an earlier request with the same Idempotency-Key',
    schema: { type: 'string', example: 'true' },
  },
} as const;
