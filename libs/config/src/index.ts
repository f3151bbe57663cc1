export {
  CONFIG,
  ConfigError,
  leastMemory,
  loadConfig,
  loadProcessConfig,
  MIN_FREE_MEMORY_BYTES,
  SHM_BYTES,
  SURROUNDINGS_BYTES,
  type Config,
} from './config';
export { configOrExit } from './config-or-exit';
export type { Mirrors } from './mirrors';
export type { PodTemplate } from './pod-template';
export { parseSize } from './setting-values';
export { VARIABLES, type VariableName } from './variables';
