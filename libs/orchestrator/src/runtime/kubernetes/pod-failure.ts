import { ErrorCode, SandboxError, type SandboxErrorOptions } from '@sandbox/errors';
import type { ContainerState, Pod } from './objects';

/** When a caller may try again. */
const RETRY_AFTER_SECONDS = 5;
/** Why a kubelet waits for an image that it will not get soon. */
const NO_IMAGE = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'RegistryUnavailable'];
/** The exit code of mkdir, if the volume of the workspace is closed to the sandbox's user. */
const CANNOT_WRITE = 1;
/** Why a container whose image is there does not start. */
const NOT_STARTED = ['StartError', 'ContainerCannotRun', 'RunContainerError', 'CreateContainerError', 'CreateContainerConfigError'];

/** A scheduler's words of a claim that somebody has removed. No pod will ever run with it. */
const CLAIM_IS_GONE = /persistentvolumeclaim "[^"]*" (not found|is being deleted)/i;
/** A scheduler's words of a claim for which there is no volume, or no volume yet. */
const WAITS_FOR_VOLUME = /persistent ?volume|free storage/i;

/**
 * A pod that will never run: SANDBOX_IMAGE_UNUSABLE, DISK_UNAVAILABLE or INTERNAL_ERROR. The
 * cluster's own words are in the cause, since they name registries and paths.
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

/**
 * Says why a pod did not run in time: DISK_UNAVAILABLE if it waits for its volume, HOST_FULL if the
 * cluster has no room for it, else RUNTIME_UNAVAILABLE. The scheduler's own words are in the cause.
 */
export function notStarted({ metadata, spec, status }: Pod): SandboxError {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  const words = scheduled?.message ?? 'its scheduler has not said anything';
  const options = { cause: new Error(`pod ${metadata.name}: ${words}`), retryAfter: RETRY_AFTER_SECONDS };
  const hasClaim = spec.volumes?.some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined) ?? false;
  if (scheduled?.status === 'False') {
    if (CLAIM_IS_GONE.test(words)) return new PodFailedError(ErrorCode.DISK_UNAVAILABLE, 'The disk of the session is gone.', options);
    if (hasClaim && WAITS_FOR_VOLUME.test(words)) return noDisk(options);
    return new SandboxError(ErrorCode.HOST_FULL, 'The cluster has no room for a sandbox.', options);
  }
  // A scheduler says nothing of a pod while a volume is made for the node that it has chosen.
  if (hasClaim && scheduled === undefined) return noDisk(options);
  return new SandboxError(ErrorCode.RUNTIME_UNAVAILABLE, 'The cluster did not start a sandbox in time.', options);
}

function noDisk(options: SandboxErrorOptions): SandboxError {
  return new SandboxError(ErrorCode.DISK_UNAVAILABLE, 'The cluster has given no disk to the session in time.', options);
}
