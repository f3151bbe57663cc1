export { CONFIG, ConfigError, leastMemory, loadConfig, loadProcessConfig, MIN_FREE_MEMORY_BYTES, SHM_BYTES, type Config } from './config';
export { parseSize, VARIABLES, type VariableName } from './variables';
