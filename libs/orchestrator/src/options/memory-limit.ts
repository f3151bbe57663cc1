import { type Config, parseSize } from '@sandbox/config';
import type { SandboxOptions } from '@sandbox/sessions';

/** Bytes of memory that a sandbox with these options may use. */
export function memoryLimit(config: Config, { memory }: SandboxOptions): number {
  return memory === undefined ? config.CONTAINER_MEM_LIMIT : parseSize(memory);
}
