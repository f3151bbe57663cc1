import type { EditResult } from '@sandbox/orchestrator';
import type { EditResultDto } from './workspace-tree.dto';

/** What is no news is not told: most diffs are whole. */
export function edited({ diff, etag, truncated }: EditResult): EditResultDto {
  return truncated ? { diff, etag, truncated } : { diff, etag };
}
