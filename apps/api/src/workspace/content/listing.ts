import type { WorkspaceListing } from '@sandbox/orchestrator';
import type { WorkspaceListingDto } from '../dto/workspace.dto';

/**
 * Builds the answer to a listing. `truncated` and `skipped` are left out if the list is whole,
 * because most are.
 */
export function listing({ entries, truncated, skipped, skipped_total }: WorkspaceListing): WorkspaceListingDto {
  return {
    entries,
    ...(truncated && { truncated }),
    ...(skipped.length > 0 && { skipped }),
    ...(skipped_total !== undefined && { skipped_total }),
  };
}
