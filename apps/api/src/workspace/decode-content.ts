import { decodeBase64 } from '@sandbox/text';
import { validationFailed } from '../validation/validate-dto';

/**
 * The bytes that `content` stands for.
 * @throws SandboxError VALIDATION_FAILED where it is not base64, which Node would decode as far as it understands it
 */
export function decodeContent(content: string, encoding: 'utf8' | 'base64' = 'utf8'): Buffer {
  if (encoding === 'utf8') return Buffer.from(content, 'utf8');
  const bytes = decodeBase64(content);
  if (bytes === undefined) throw validationFailed([{ field: 'content', message: 'must be base64 with padding and without line breaks' }]);
  return bytes;
}
