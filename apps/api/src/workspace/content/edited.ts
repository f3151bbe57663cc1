import type { EditResult } from '@sandbox/orchestrator';
import type { EditResultDto } from '../dto/edit.dto';

/** Builds the answer to an edit. `truncated` is left out if the diff is whole, because most are. */
export function edited({ diff, etag, truncated }: EditResult): EditResultDto {
  return truncated ? { diff, etag, truncated } : { diff, etag };
}
