import { type Config, ConfigError } from './config';

/** EX_CONFIG of sysexits.h. A supervisor that knows this code does not restart the service. */
const EXIT_BAD_CONFIG = 78;

/**
 * Loads the settings of a service. If a setting is wrong, it prints what to change and ends the
 * process with exit code 78.
 */
export function configOrExit(load: () => Config): Config {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(EXIT_BAD_CONFIG);
  }
}
