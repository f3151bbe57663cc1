import type { WorkspaceListing } from '@sandbox/orchestrator';
import type { WorkspaceListingDto } from './workspace.dto';

/** What is no news is not told: most lists are whole. */
export function listing({ entries, truncated }: WorkspaceListing): WorkspaceListingDto {
  return truncated ? { entries, truncated } : { entries };
}
