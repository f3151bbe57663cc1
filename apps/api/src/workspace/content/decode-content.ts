import { decodeBase64 } from '@sandbox/text';
import { validationFailed } from '../../validation/validate-dto';

/**
 * Decodes the `content` of a request.
 * @throws SandboxError VALIDATION_FAILED if it is no base64. Node would decode as much as it
 *   understands.
 */
export function decodeContent(content: string, encoding: 'utf8' | 'base64' = 'utf8'): Buffer {
  if (encoding === 'utf8') return Buffer.from(content, 'utf8');
  const bytes = decodeBase64(content);
  if (bytes === undefined) throw validationFailed([{ field: 'content', message: 'must be base64 with padding and without line breaks' }]);
  return bytes;
}
