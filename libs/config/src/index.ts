export { CONFIG, ConfigError, loadConfig, loadProcessConfig, MIN_FREE_MEMORY_BYTES, SHM_BYTES, type Config } from './config';
export { VARIABLES, type VariableName } from './variables';
