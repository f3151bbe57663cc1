import { ErrorCode, SandboxError } from '@sandbox/errors';
import { DeadlineError } from '../deadline';
import { hasNoContainer, KubernetesError, statusOf, toSandboxError } from './kubernetes-errors';

const SECRET = 'node-7.internal:10250';
const refused = (status: number, message = SECRET, retryAfter: number | null = null) =>
  new KubernetesError(status, 'Reason', message, retryAfter);

describe('toSandboxError', () => {
  it.each([
    ['a refused connection', Object.assign(new Error(SECRET), { code: 'ECONNREFUSED' }), 'RUNTIME_UNAVAILABLE', 2],
    ['a deadline', new DeadlineError(SECRET), 'RUNTIME_UNAVAILABLE', 2],
    ['a server error', refused(500), 'RUNTIME_UNAVAILABLE', 2],
    ['too many requests', refused(429, SECRET, 7), 'RUNTIME_UNAVAILABLE', 7],
    ['too many requests for a day', refused(429, SECRET, 86_400), 'RUNTIME_UNAVAILABLE', 60],
    ['a quota that is used up', refused(403, `${SECRET} exceeded quota: pods`), 'HOST_FULL', 2],
    ['a missing permission', refused(403), 'INTERNAL_ERROR', undefined],
    ['a kubelet that starts', new KubernetesError(401, '', SECRET), 'RUNTIME_UNAVAILABLE', 2],
    ['a bug', new TypeError(SECRET), 'INTERNAL_ERROR', undefined],
  ])('gives %s a code, and keeps the cluster’s words in the cause only', (_, error, code, retryAfter) => {
    const mapped = toSandboxError(error);
    expect(mapped).toMatchObject({ code, cause: error, retryAfter });
    expect(mapped.message).not.toContain(SECRET);
  });

  it('returns a SandboxError unchanged', () => {
    const typed = new SandboxError(ErrorCode.SANDBOX_LOST, 'gone');
    expect(toSandboxError(typed)).toBe(typed);
  });
});

describe('statusOf', () => {
  it('tells the status of the API server’s answers alone', () => {
    expect([statusOf(refused(409)), statusOf(new Error('x')), statusOf({ status: 409 })]).toEqual([409, null, null]);
  });
});

describe('hasNoContainer', () => {
  it.each([
    [500, 'container not found ("sandbox")', true],
    [500, 'failed to exec in container: failed to load task: no running task found: task x not found', true],
    [500, 'error dialing backend: EOF', false],
    [404, 'container not found ("sandbox")', false],
  ])('tells by a kubelet’s words whether a container has ended: %d %s', (status, message, isSo) => {
    expect(hasNoContainer(refused(status, message))).toBe(isSo);
  });
});
