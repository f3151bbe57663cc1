import { randomBytes } from 'node:crypto';
import type { Config } from '@sandbox/config';
import type { SandboxOwner } from '../sandbox-runtime';
import type { KubernetesObject } from './objects';

/** Labels, which selectors find. Their values have at most 63 characters. */
export const LABEL = {
  deployment: 'sandbox-api.deployment',
  /** One of KIND. */
  kind: 'sandbox-api.kind',
  /** The first half of the session's key. The annotation has all of it. */
  session: 'sandbox-api.session',
  /** Of a pod that waits in the pool: the hash of what it was made with, and its slot. */
  pool: 'sandbox-api.pool',
  slot: 'sandbox-api.slot',
} as const;

/** Annotations. Their values have no form. */
export const ANNOTATION = {
  session: 'sandbox-api.session',
  user: 'sandbox-api.user',
  spec: 'sandbox-api.spec',
  options: 'sandbox-api.options',
  settings: 'sandbox-api.settings',
  /** Of a pod that was made for the pool. */
  pooled: 'sandbox-api.pooled',
  /** Of a lock: the rules of the session's network. */
  network: 'sandbox-api.network',
  /** Of a lock whose pod is there, or was. */
  begun: 'sandbox-api.begun',
  /** Of a lock whose session is being removed. */
  closing: 'sandbox-api.closing',
  /** Of a volume or a disk: its limit in bytes. */
  disk: 'sandbox-api.disk',
} as const;

/** A `volume` is persistent and its session's. A `disk` is a pod's, and goes with the pod. */
export const KIND = { session: 'session', lock: 'lock', volume: 'volume', disk: 'disk', probe: 'probe' } as const;

const LABEL_KEY_LENGTH = 32;

/** The name of a session's lock. */
export function sessionName(config: Config, key: string): string {
  return `${prefix(config)}${key}`;
}

/**
 * A name for a pod that is made for a session. No two pods ever have the same one: for some
 * seconds, a kubelet takes a new pod for the removed one whose name it has.
 */
export function newPodName(config: Config, key: string): string {
  return `${sessionName(config, key)}-${randomBytes(4).toString('hex')}`;
}

/** No two pods of the pool ever have the same name. */
export function pooledName(config: Config, spec: string, slot: number): string {
  return `${prefix(config)}pool-${spec}-${slot}-${randomBytes(4).toString('hex')}`;
}

export function probeName(config: Config): string {
  return `${prefix(config)}probe-${randomBytes(4).toString('hex')}`;
}

export function volumeName(config: Config, key: string): string {
  return `${prefix(config)}${key.slice(0, LABEL_KEY_LENGTH)}-workspace`;
}

/**
 * Whether a deployment of this name can be told apart in a cluster: names of pods take no other
 * characters.
 */
export function isDeploymentName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name);
}

function prefix({ DEPLOYMENT }: Config): string {
  return `sandbox-${DEPLOYMENT}-`;
}

export function deploymentLabels({ DEPLOYMENT }: Config, kind: string): Record<string, string> {
  return { [LABEL.deployment]: DEPLOYMENT, [LABEL.kind]: kind };
}

/** Labels and annotations of all that a session has in the cluster. */
export function ownerMarks({ key, userKey }: SandboxOwner): { labels: Record<string, string>; annotations: Record<string, string> } {
  return {
    labels: { [LABEL.session]: key.slice(0, LABEL_KEY_LENGTH) },
    annotations: { [ANNOTATION.session]: key, [ANNOTATION.user]: userKey },
  };
}

/** A selector of all objects of one kind. */
export function selector(config: Config, kind: string, more: Readonly<Record<string, string>> = {}): string {
  return Object.entries({ ...deploymentLabels(config, kind), ...more })
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

/** A selector of everything of the deployment. */
export function deploymentSelector({ DEPLOYMENT }: Config): string {
  return `${LABEL.deployment}=${DEPLOYMENT}`;
}

/**
 * A selector of the pods of a session. Another session's key may begin alike: see `isOfSession`.
 */
export function sessionSelector(config: Config, key: string): string {
  return selector(config, KIND.session, { [LABEL.session]: key.slice(0, LABEL_KEY_LENGTH) });
}

export function isOurs(config: Config, { metadata }: KubernetesObject, kind: string): boolean {
  return metadata.labels?.[LABEL.deployment] === config.DEPLOYMENT && metadata.labels[LABEL.kind] === kind;
}

export function isOfSession({ metadata }: KubernetesObject, key: string): boolean {
  return metadata.annotations?.[ANNOTATION.session] === key;
}
