import { ErrorCode, SandboxError } from '@sandbox/errors';
import { DeadlineError } from '../deadline';
import { engineStatus, toSandboxError } from './engine-errors';

const HOST_PATH = '/var/lib/docker/overlay2/secret';
const answered = (statusCode: number) => Object.assign(new Error(HOST_PATH), { statusCode });
const transport = (code: string) => Object.assign(new Error(HOST_PATH), { code });

describe('toSandboxError', () => {
  it.each([
    ['no socket', transport('ENOENT'), 'RUNTIME_UNAVAILABLE'],
    ['a refused connection', transport('ECONNREFUSED'), 'RUNTIME_UNAVAILABLE'],
    ['a deadline', new DeadlineError(HOST_PATH), 'RUNTIME_UNAVAILABLE'],
    ['a server error', answered(500), 'RUNTIME_UNAVAILABLE'],
    ['a refusal', answered(400), 'INTERNAL_ERROR'],
    ['a bug', new TypeError(HOST_PATH), 'INTERNAL_ERROR'],
  ])('gives %s a code, and keeps the engine’s words in the cause only', (_, error, code) => {
    const mapped = toSandboxError(error);
    expect(mapped).toMatchObject({ code, cause: error, retryAfter: code === 'RUNTIME_UNAVAILABLE' ? 2 : undefined });
    expect(mapped.message).not.toContain(HOST_PATH);
  });

  it('returns a SandboxError unchanged', () => {
    const typed = new SandboxError(ErrorCode.SANDBOX_LOST, 'gone');
    expect(toSandboxError(typed)).toBe(typed);
  });
});

describe('engineStatus', () => {
  it.each([
    [answered(404), 404],
    [transport('ENOENT'), null],
    [{ statusCode: '404' }, null],
    [null, null],
  ])('gives for %o the status %j', (error, status) => {
    expect(engineStatus(error)).toBe(status);
  });
});
