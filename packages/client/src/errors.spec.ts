import {
  AuthenticationError,
  CommandNotAllowedError,
  ConflictError,
  errorOf,
  errorOfResponse,
  InvalidArgumentError,
  NotEnoughSpaceError,
  NotFoundError,
  RateLimitError,
  SandboxError,
  SandboxLostError,
} from './errors.ts';

describe('An error of the API', () => {
  it.each([
    [400, 'COMMAND_NOT_ALLOWED', CommandNotAllowedError],
    [400, 'INVALID_PATH', InvalidArgumentError],
    [401, 'UNAUTHORIZED', AuthenticationError],
    [404, 'SESSION_NOT_FOUND', NotFoundError],
    [409, 'ALREADY_EXISTS', ConflictError],
    [412, 'PRECONDITION_FAILED', ConflictError],
    [422, 'VALIDATION_FAILED', InvalidArgumentError],
    [429, 'TOO_MANY_JOBS', RateLimitError],
    [502, 'SANDBOX_LOST', SandboxLostError],
    [503, 'HOST_FULL', SandboxError],
    [507, 'STORAGE_FULL', NotEnoughSpaceError],
  ])('has a class of its own when it is %i %s', (status, code, kind) => {
    const error = errorOf(status, { code, detail: 'Because.', request_id: 'r', errors: [] }, 7);
    expect(error.constructor).toBe(kind);
    expect(error).toBeInstanceOf(SandboxError);
    expect(error).toMatchObject({ name: kind.name, status, code, message: 'Because.', requestId: 'r', fields: [], retryAfter: 7 });
  });

  it.each(['<html>', '[]', '"text"', 'null', '{"code": 5}'])('has no code when what answered is not the API: %s', async (body) => {
    const error = await errorOfResponse(new Response(body, { status: 502 }));
    expect(error).toMatchObject({ status: 502, code: undefined, message: 'The server answered with the status 502.' });
  });
});
