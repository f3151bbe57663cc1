import type { Config } from '@sandbox/config';

/**
 * Says for the start-up log what sandboxes have of the operator's mirrors and certificates.
 * @returns null if that is nothing
 */
export function describeSurroundings({ EGRESS_MIRRORS, EGRESS_CA_FILE }: Pick<Config, 'EGRESS_MIRRORS' | 'EGRESS_CA_FILE'>): string | null {
  const mirrored = Object.keys(EGRESS_MIRRORS.urls);
  const certificates = EGRESS_CA_FILE?.match(/BEGIN CERTIFICATE/g)?.length ?? 0;
  const parts = [
    ...(mirrored.length > 0 ? [`take packages from mirrors (${mirrored.join(', ')})`] : []),
    ...(certificates > 0 ? [`trust more certificates (${certificates})`] : []),
  ];
  return parts.length > 0 ? `Sandboxes ${parts.join(' and ')}` : null;
}
