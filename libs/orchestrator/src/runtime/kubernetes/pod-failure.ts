import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { ContainerState, Pod } from './objects';

/** When a caller may try again. */
const RETRY_AFTER_SECONDS = 5;
/** Why a kubelet waits for an image that it will not get soon. */
const NO_IMAGE = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'RegistryUnavailable'];
/** The exit code of mkdir, if the volume of the workspace is closed to the sandbox's user. */
const CANNOT_WRITE = 1;
/** Why a container whose image is there does not start. */
const NOT_STARTED = ['StartError', 'ContainerCannotRun', 'RunContainerError', 'CreateContainerError', 'CreateContainerConfigError'];

/**
 * A pod that will never run: SANDBOX_IMAGE_UNUSABLE or INTERNAL_ERROR. The kubelet's own words are
 * in the cause, since they name registries and paths.
 */
export class PodFailedError extends SandboxError {}

/** Finds out whether a pod will never run. */
export function podFailure({ spec, status }: Pod): PodFailedError | null {
  const image = spec.containers[0]?.image ?? '';
  const preparing = status?.initContainerStatuses?.[0]?.state?.terminated;
  if (preparing?.exitCode === CANNOT_WRITE)
    return new PodFailedError(ErrorCode.INTERNAL_ERROR, 'A sandbox cannot write to its volume.', { cause: new Error(preparing.message) });
  const states = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].map(({ state }) => state ?? {});
  for (const { reason, message } of states.map(whyNot)) {
    const cause = new Error(`${reason}: ${message}`);
    if (NO_IMAGE.includes(reason))
      return new PodFailedError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, `The sandbox image ${image} cannot be had by the cluster.`, { cause });
    if (!NOT_STARTED.includes(reason)) continue;
    // The OCI runtime's message names the program that it could not start.
    if (/["'`]sh["'`]/.test(message))
      return new PodFailedError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, `The sandbox image ${image} has no sh that can be run.`, { cause });
    return new PodFailedError(ErrorCode.INTERNAL_ERROR, 'The cluster could not start the sandbox.', { cause });
  }
  return null;
}

function whyNot({ waiting, terminated }: ContainerState): { reason: string; message: string } {
  const { reason = '', message = '' } = waiting ?? terminated ?? {};
  return { reason, message };
}

/** The cluster had no room for a pod in time, or its node did not start it. */
export function notStarted({ status }: Pod): SandboxError {
  const hasNoNode = status?.conditions?.some(({ type, status: value }) => type === 'PodScheduled' && value === 'False') ?? false;
  return hasNoNode
    ? new SandboxError(ErrorCode.HOST_FULL, 'The cluster has no room for a sandbox.', { retryAfter: RETRY_AFTER_SECONDS })
    : new SandboxError(ErrorCode.RUNTIME_UNAVAILABLE, 'The cluster did not start a sandbox in time.', { retryAfter: RETRY_AFTER_SECONDS });
}
