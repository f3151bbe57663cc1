import { ErrorCode, SandboxError } from '@sandbox/errors';

/** The advice if a file is too large for the form of answer that the caller asked for. */
export const READ_ADVICE =
  'Ask for some of its lines (start_line, end_line) or bytes (Range: bytes=0-99999), for all of it with Accept: application/octet-stream, or for a tar of it (GET …/workspace/archive?path=).';

/** The advice if content is too large for a write. */
export const WRITE_ADVICE =
  'Send it in a tar (PUT …/workspace/archive?path=DIRECTORY), or in pieces of up to 1 MiB, each as `stdin` of POST /execute with the command `cat >> FILE`, or `base64 -d >> FILE` for bytes that are no text.';

/** The advice if a file is too large for an edit. */
export const EDIT_ADVICE = 'Change a larger file by a command, such as `sed -i` or a script.';

const TOO_LARGE: readonly ErrorCode[] = [ErrorCode.FILE_TOO_LARGE, ErrorCode.PAYLOAD_TOO_LARGE];

/**
 * Makes a call. If it fails because something is too large, the error's detail ends with the
 * advice.
 */
export async function withSizeAdvice<T>(advice: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof SandboxError && TOO_LARGE.includes(error.code) ? error.withSentence(advice) : error;
  }
}
