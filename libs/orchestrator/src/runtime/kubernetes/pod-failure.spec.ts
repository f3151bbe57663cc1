import type { ContainerState, Pod } from './objects';
import { notStarted, podFailure } from './pod-failure';

const pod = (state: ContainerState, conditions: { type: string; status: string }[] = []): Pod => ({
  metadata: { name: 'p' },
  spec: { containers: [{ image: 'python:3' }] },
  status: { phase: 'Pending', conditions, initContainerStatuses: [{ name: 'workspace', state }] },
});

describe('podFailure', () => {
  it.each([
    ['ErrImagePull', 'registry.internal: no route', 'SANDBOX_IMAGE_UNUSABLE', 'python:3 cannot be had'],
    ['ImagePullBackOff', '', 'SANDBOX_IMAGE_UNUSABLE', 'python:3 cannot be had'],
    ['RunContainerError', 'exec: "sh": executable file not found in $PATH', 'SANDBOX_IMAGE_UNUSABLE', 'python:3 has no sh'],
    ['CreateContainerError', 'registry.internal: busy', 'INTERNAL_ERROR', 'could not start the sandbox'],
  ])('ends with %s', (reason, message, code, said) => {
    for (const state of [{ waiting: { reason, message } }, { terminated: { reason, message } }]) {
      const failure = podFailure(pod(state));
      expect(failure).toMatchObject({ code, message: expect.stringContaining(said) });
      expect(failure?.message).not.toContain('registry.internal');
    }
  });

  it('ends when the workspace cannot be made', () => {
    expect(podFailure(pod({ terminated: { reason: 'Error', exitCode: 1 } }))).toMatchObject({ code: 'INTERNAL_ERROR' });
  });

  it.each([
    [{ waiting: { reason: 'PodInitializing' } }],
    [{ waiting: { reason: 'ContainerCreating' } }],
    [{ running: {} }],
    [{ terminated: { reason: 'Completed', exitCode: 0 } }],
    [{ terminated: { reason: 'Error', exitCode: 137 } }],
  ])('goes on with %j', (state) => {
    expect(podFailure(pod(state))).toBeNull();
  });
});

describe('notStarted', () => {
  it('tells a cluster without room from a node that is slow', () => {
    const waiting = { waiting: { reason: 'ContainerCreating' } };
    expect(notStarted(pod(waiting, [{ type: 'PodScheduled', status: 'False' }]))).toMatchObject({ code: 'HOST_FULL', retryAfter: 5 });
    expect(notStarted(pod(waiting, [{ type: 'PodScheduled', status: 'True' }]))).toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
      retryAfter: 5,
    });
  });
});
