import { isObject } from '@sandbox/text';
import { loadAll } from 'js-yaml';
import { readSettingFile } from './setting-file';

const MAX_BYTES = 64 * 1024;
/** Within a shorter time a pod may not even have started. */
const MIN_DEADLINE_SECONDS = 60;
/** The most that an API server takes. */
const MAX_DEADLINE_SECONDS = 2 ** 31 - 1;

/**
 * What an operator may say of a pod's spec. The rest is the service's own: a sandbox without one of
 * its restrictions would be no sandbox.
 */
const SPEC_FIELDS = [
  'activeDeadlineSeconds',
  'affinity',
  'hostUsers',
  'imagePullSecrets',
  'nodeSelector',
  'priorityClassName',
  'schedulerName',
  'tolerations',
  'topologySpreadConstraints',
] as const;

/** What an operator adds to each pod, as a PodTemplate of Kubernetes has it. */
export interface PodTemplate {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Readonly<Partial<Record<Exclude<(typeof SPEC_FIELDS)[number], 'tolerations'>, unknown>>> & {
    readonly tolerations?: readonly unknown[];
  };
  /** Null: the profile of the node's runtime. */
  readonly seccompProfile: Readonly<Record<string, unknown>> | null;
}

export const NO_TEMPLATE: PodTemplate = Object.freeze({ labels: {}, annotations: {}, spec: {}, seccompProfile: null });

/**
 * Reads a template in YAML or JSON: `metadata.labels`, `metadata.annotations` and some fields of
 * `spec`. The API server checks their values when a pod is made.
 * @throws Error that names the fields it may have, and repeats nothing of the file
 */
export function readPodTemplate(path: string): PodTemplate {
  const { metadata, spec } = fields('the file', parse(readSettingFile(path, MAX_BYTES, 'utf8')), ['metadata', 'spec']);
  const { labels, annotations } = fields('metadata', metadata, ['labels', 'annotations']);
  const { securityContext, ...rest } = fields('spec', spec, [...SPEC_FIELDS, 'securityContext']);
  const { seccompProfile } = fields('spec.securityContext', securityContext, ['seccompProfile']);
  if (rest.tolerations !== undefined && !Array.isArray(rest.tolerations))
    throw new Error('must name a file in which spec.tolerations is a list');
  if (rest.activeDeadlineSeconds !== undefined && !isDeadline(rest.activeDeadlineSeconds))
    throw new Error(`may have a spec.activeDeadlineSeconds from ${MIN_DEADLINE_SECONDS} to ${MAX_DEADLINE_SECONDS} alone`);
  if (rest.hostUsers !== undefined && rest.hostUsers !== false) throw new Error('may have no spec.hostUsers but false');
  return Object.freeze({
    labels: texts('metadata.labels', labels),
    annotations: texts('metadata.annotations', annotations),
    spec: rest,
    seccompProfile: seccompProfile === undefined ? null : confined(seccompProfile),
  });
}

function parse(text: string): unknown {
  try {
    // Of an empty file it makes none.
    return loadAll(text)[0] ?? {};
  } catch {
    // The parser's own message quotes the file.
    throw new Error('must name a file in YAML or JSON');
  }
}

function fields(where: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (value === undefined) return {};
  if (!isObject(value)) throw new Error(`must name a file in which ${where} is an object`);
  if (Object.keys(value).some((name) => !known.includes(name)))
    throw new Error(`must name a file in which ${where} has no other fields than ${known.join(', ')}`);
  return value;
}

function texts(where: string, value: unknown = {}): Record<string, string> {
  if (!isObject(value) || Object.values(value).some((each) => typeof each !== 'string'))
    throw new Error(`must name a file in which ${where} has texts alone`);
  return value as Record<string, string>;
}

function isDeadline(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= MIN_DEADLINE_SECONDS && Number(value) <= MAX_DEADLINE_SECONDS;
}

function confined(profile: unknown): Record<string, unknown> {
  const { type } = isObject(profile) ? profile : {};
  if (!isObject(profile) || (type !== 'Localhost' && type !== 'RuntimeDefault'))
    throw new Error('may have no spec.securityContext.seccompProfile.type but Localhost and RuntimeDefault');
  return profile;
}
