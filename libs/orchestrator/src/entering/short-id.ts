/**
 * Shortens a container's id for callers: to its first 12 hex digits, as Docker's own clients print
 * it.
 */
export function shortId(containerId: string): string {
  return containerId.slice(0, 12);
}
