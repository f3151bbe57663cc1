import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, type ApiResponseOptions, getSchemaPath } from '@nestjs/swagger';
import { ErrorCode, ERRORS } from '@sandbox/errors';
import { PROBLEM_CONTENT_TYPE, problemType } from '../problems/problem';
import { ProblemDto } from './problem.dto';

/** The problems of every route behind the guards. */
const GUARDED: readonly ErrorCode[] = ['UNAUTHORIZED', 'VALIDATION_FAILED', 'RATE_LIMITED', 'INTERNAL_ERROR', 'STORE_UNAVAILABLE'];
/** The problems of every route that enters a session's sandbox. */
const SANDBOX: readonly ErrorCode[] = [
  'SESSION_DELETED',
  'SANDBOX_LOST',
  'SANDBOX_UNRESPONSIVE',
  'SANDBOX_IMAGE_UNUSABLE',
  'SANDBOX_EXHAUSTED',
  'RUNTIME_UNAVAILABLE',
  'TOO_MANY_SESSIONS',
  'HOST_FULL',
  'DISK_UNAVAILABLE',
];
const JSON_BODY: readonly ErrorCode[] = ['BAD_REQUEST', 'REQUEST_TIMEOUT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
/** The problems of every route that takes an Idempotency-Key. */
const IDEMPOTENT: readonly ErrorCode[] = [
  'IDEMPOTENCY_RUNNING',
  'IDEMPOTENCY_UNKNOWN',
  'IDEMPOTENCY_ANSWER_NOT_KEPT',
  'IDEMPOTENCY_KEY_REUSED',
  'TOO_MANY_IDEMPOTENCY_KEYS',
];
const FILE_PATH: readonly ErrorCode[] = [
  'BAD_REQUEST',
  'INVALID_PATH',
  'PATH_OUTSIDE_WORKSPACE',
  'PERMISSION_DENIED',
  'NOT_FOUND',
  'NOT_A_DIRECTORY',
  'TOO_MANY_COMMANDS',
];

const RETRY_AFTER = { 'Retry-After': { description: 'Seconds to wait before trying again', schema: { type: 'integer' } } } as const;
const RESPONSE_HEADERS: Record<number, ApiResponseOptions['headers']> = {
  401: { 'WWW-Authenticate': { description: 'One challenge for each method that is on', schema: { type: 'string' } } },
  429: RETRY_AFTER,
  503: RETRY_AFTER,
};

/** Lists of problems that many routes share. */
export const PROBLEMS = { GUARDED, SANDBOX, JSON_BODY, IDEMPOTENT, FILE_PATH };

/**
 * Documents the problems that a route answers with: one response for each status, one example for
 * each code.
 */
export function ApiProblems(...codes: ErrorCode[]): MethodDecorator {
  const statuses = [...new Set(codes.map((code) => ERRORS[code].status))];
  return applyDecorators(
    ApiExtraModels(ProblemDto),
    ...statuses.map((status) =>
      problemResponse(
        status,
        codes.filter((code) => ERRORS[code].status === status),
      ),
    ),
  );
}

function problemResponse(status: number, codes: ErrorCode[]): MethodDecorator {
  return ApiResponse({
    status,
    description: codes.map((code) => `${ERRORS[code].title} (\`${code}\`)`).join(', '),
    headers: RESPONSE_HEADERS[status],
    content: {
      [PROBLEM_CONTENT_TYPE]: {
        schema: { $ref: getSchemaPath(ProblemDto) },
        examples: Object.fromEntries(codes.map((code) => [code, { value: example(code) }])),
      },
    },
  });
}

function example(code: ErrorCode): ProblemDto {
  return {
    type: problemType(code),
    title: ERRORS[code].title,
    status: ERRORS[code].status,
    detail: `${ERRORS[code].title}.`,
    code,
    request_id: 'b8a3b6f0-7f0e-4f43-9e53-0c8f8b3f6f11',
    ...(code === 'VALIDATION_FAILED' && { errors: [{ field: 'session_id', message: 'must have 1 to 256 characters' }] }),
  };
}
