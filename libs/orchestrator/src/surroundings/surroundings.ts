import { type Config, SURROUNDINGS_BYTES } from '@sandbox/config';
import { CARGO_DIRECTORY, mirrorFiles, mirrorVariables } from './mirrors';
import { type Trust, trustFiles, trustVariables } from './trust';

/**
 * What programs in a sandbox find of the operator's registries and certificates. It is in memory,
 * apart from the workspace, so it is never older than the settings.
 */
export interface Surroundings {
  /** By name. A command's own variables come before them. */
  readonly variables: Readonly<Record<string, string>>;
  /** Directories in memory, by path, each with its size in bytes. The agent may write there. */
  readonly directories: Readonly<Record<string, number>>;
  /** By path. The agent writes them when it starts. */
  readonly files: Readonly<Record<string, string>>;
  /** From which the agent makes the files that hold certificates; null: there are none. */
  readonly trust: Trust | null;
}

/** Where the files are that the variables name. */
const DIRECTORY = '/run/surroundings';

const CARGO_BYTES = 64 * 1024;

/** @returns null if neither EGRESS_MIRRORS nor EGRESS_CA_FILE is set. A sandbox is then as ever. */
export function surroundingsOf({ EGRESS_MIRRORS, EGRESS_CA_FILE }: Pick<Config, 'EGRESS_MIRRORS' | 'EGRESS_CA_FILE'>): Surroundings | null {
  const { urls } = EGRESS_MIRRORS;
  if (EGRESS_CA_FILE === null && Object.keys(urls).length === 0) return null;
  const trust = EGRESS_CA_FILE === null ? null : { directory: DIRECTORY, certificates: EGRESS_CA_FILE };
  return {
    variables: { ...(trust === null ? {} : trustVariables(DIRECTORY)), ...mirrorVariables(urls, DIRECTORY) },
    directories: { [DIRECTORY]: SURROUNDINGS_BYTES, ...(urls.cargo === undefined ? {} : { [CARGO_DIRECTORY]: CARGO_BYTES }) },
    files: { ...(trust === null ? {} : trustFiles(DIRECTORY)), ...mirrorFiles(urls, DIRECTORY) },
    trust,
  };
}
