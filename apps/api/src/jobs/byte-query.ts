import type { OutputQuery } from '@sandbox/orchestrator';
import { validationFailed } from '../validation/validate-dto';

/**
 * Reads which bytes a request asks for. HEAD asks for none, and so gets the headers alone.
 * @throws SandboxError VALIDATION_FAILED if the request names an encoding, which bytes do not have
 */
export function byteQuery({ encoding, ...query }: OutputQuery, method: string): Omit<OutputQuery, 'encoding'> {
  if (encoding !== undefined) throw validationFailed([{ field: 'encoding', message: 'does not go with Accept: application/octet-stream' }]);
  return method === 'HEAD' ? { ...query, limit: 0 } : query;
}
