import type { Config } from '@sandbox/config';
import { parseOptions, parseSettings } from '@sandbox/sessions';
import type Docker from 'dockerode';
import type { Sandbox } from '../sandbox-runtime';
import { KIND, LABEL, placeOf } from './container-spec';

export type Inspected = Docker.ContainerInspectInfo;

/** What the engine says of a container, whether it was inspected or listed. */
export interface FoundContainer extends Pick<Sandbox, 'id' | 'image' | 'createdAt'> {
  /** As the engine writes it: with a slash before it. */
  readonly name: string;
  readonly labels: Record<string, string>;
}

/** The step that leads from a container which is there to one that runs and is as asked for. */
export type Step = 'adopt' | 'unpause' | 'start' | 'wait' | 'replace';

/**
 * Tells whether a container belongs to our deployment, and to no other session.
 *
 * A claimed container has no session in its labels. It was found by its name, and that name says
 * which session owns it.
 */
export function isOurs(config: Config, { Config: found }: Inspected, key: string | null): boolean {
  const { [LABEL.deployment]: deployment, [LABEL.kind]: kind, [LABEL.session]: session } = found.Labels;
  return deployment === config.DEPLOYMENT && kind === KIND.session && (session === undefined || session === key);
}

/**
 * Describes a container as the runtime's callers know it.
 * @param pooledSpec the spec hash of the pooled containers of this process
 */
export function describeSandbox(
  config: Config,
  pooledSpec: string,
  { id, name: slashed, labels, image, createdAt }: FoundContainer,
): Sandbox {
  const name = slashed.replace(/^\//, '');
  const options = parseOptions(labels[LABEL.options] ?? '');
  const settings = parseSettings(labels[LABEL.settings] ?? '');
  const pooled = labels[LABEL.session] === undefined;
  return { id, name, ...placeOf(config, pooledSpec, name), image, options, settings, createdAt, pooled };
}

export function nextStep({ State, Config }: Inspected, spec: string): Step {
  if (State.Status === 'removing') return 'wait';
  if (Config.Labels[LABEL.spec] !== spec) return 'replace';
  if (State.Status === 'running') return 'adopt';
  if (State.Status === 'paused') return 'unpause';
  if (State.Status === 'created') return 'start';
  return 'replace';
}
