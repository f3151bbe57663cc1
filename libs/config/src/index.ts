export { CONFIG, ConfigError, leastMemory, loadConfig, loadProcessConfig, SHM_BYTES, type Config } from './config';
export { parseSize, VARIABLES, type VariableName } from './variables';
