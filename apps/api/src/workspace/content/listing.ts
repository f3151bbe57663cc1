import type { WorkspaceListing } from '@sandbox/orchestrator';
import type { WorkspaceListingDto } from '../dto/workspace.dto';

/**
 * Builds the answer to a listing. `truncated` is left out if the list is whole, because most are.
 */
export function listing({ entries, truncated }: WorkspaceListing): WorkspaceListingDto {
  return truncated ? { entries, truncated } : { entries };
}
