import type { ContainerState, Pod } from './objects';
import { notStarted, PodFailedError, podFailure } from './pod-failure';

const pod = (state: ContainerState, conditions: { type: string; status: string; message?: string }[] = []): Pod => ({
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

  const onDisk = (message?: string): Pod => {
    const { spec, ...rest } = pod({}, message === undefined ? [] : [{ type: 'PodScheduled', status: 'False', message }]);
    return { ...rest, spec: { ...spec, volumes: [{}, { persistentVolumeClaim: { claimName: 'c' } }] } };
  };

  it.each([
    ['is named', '0/2 nodes are available: 2 pod has unbound immediate PersistentVolumeClaims.'],
    ['is to be on its node', "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."],
    ['has no room', '0/1 nodes are available: 1 node(s) did not have enough free storage.'],
    ['is being made', undefined],
  ])('tells that there is no disk when a volume %s, in its own words', (_, message) => {
    const failure = notStarted(onDisk(message));
    expect(failure).toMatchObject({ code: 'DISK_UNAVAILABLE', retryAfter: 5 });
    expect(failure).not.toBeInstanceOf(PodFailedError);
    expect(failure.message).not.toMatch(/node|PersistentVolume/);
    if (message !== undefined) expect((failure.cause as Error).message).toContain(message);
  });

  it('gives a pod up when its claim is gone', () => {
    for (const words of ['not found', 'is being deleted'])
      expect(notStarted(onDisk(`0/1 nodes are available: 1 persistentvolumeclaim "c" ${words}.`))).toBeInstanceOf(PodFailedError);
  });

  it('tells a cluster without room from one without a disk', () => {
    expect(notStarted(onDisk('0/1 nodes are available: 1 Insufficient memory.'))).toMatchObject({ code: 'HOST_FULL' });
    const scheduled = { ...onDisk(), status: { conditions: [{ type: 'PodScheduled', status: 'True' }] } };
    expect(notStarted(scheduled)).toMatchObject({ code: 'RUNTIME_UNAVAILABLE' });
  });
});
