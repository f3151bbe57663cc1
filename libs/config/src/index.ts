export { CONFIG, ConfigError, leastMemory, loadConfig, loadProcessConfig, MIN_FREE_MEMORY_BYTES, SHM_BYTES, type Config } from './config';
export { configOrExit } from './config-or-exit';
export { parseSize, VARIABLES, type VariableName } from './variables';
