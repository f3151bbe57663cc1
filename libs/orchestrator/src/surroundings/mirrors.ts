import type { Mirrors } from '@sandbox/config';
import { mavenFiles, mavenOptions } from './maven';

type Urls = Mirrors['urls'];

/**
 * cargo takes another registry in place of crates.io from a file alone. It looks in `.cargo` of the
 * working directory and of each directory above, so in this one at last. What a user has in the
 * workspace comes before it.
 */
export const CARGO_DIRECTORY = '/.cargo';

/** Returns the variables by which package managers find their mirrors. */
export function mirrorVariables({ pypi, npm, go, maven }: Urls, directory: string): Record<string, string> {
  return {
    ...(pypi !== undefined && {
      PIP_INDEX_URL: pypi,
      UV_DEFAULT_INDEX: pypi,
      // pip refuses an index without TLS that is not named here.
      ...(pypi.startsWith('http:') && { PIP_TRUSTED_HOST: new URL(pypi).host }),
    }),
    ...(npm !== undefined && {
      // npm, Yarn 1, Bun and pnpm up to 10; pnpm; Yarn from 2 on; Corepack.
      NPM_CONFIG_REGISTRY: npm,
      PNPM_CONFIG_REGISTRY: npm,
      YARN_NPM_REGISTRY_SERVER: npm.replace(/\/$/, ''),
      COREPACK_NPM_REGISTRY: npm.replace(/\/$/, ''),
    }),
    ...(go !== undefined && { GOPROXY: go }),
    ...(maven !== undefined && { MAVEN_OPTS: mavenOptions(directory), MVNW_REPOURL: maven.replace(/\/$/, '') }),
  };
}

/** Returns the files in which package managers find their mirrors, by path. */
export function mirrorFiles({ cargo, maven }: Urls, directory: string): Record<string, string> {
  return {
    ...(cargo !== undefined && { [`${CARGO_DIRECTORY}/config.toml`]: cargoConfig(cargo) }),
    ...(maven !== undefined && mavenFiles(maven, directory)),
  };
}

function cargoConfig(url: string): string {
  // The sparse protocol of registries. A URL of an index ends with a slash.
  const index = `sparse+${url.replace(/\/?$/, '/')}`;
  return `[source.crates-io]\nreplace-with = "mirror"\n\n[source.mirror]\nregistry = "${index}"\n`;
}
