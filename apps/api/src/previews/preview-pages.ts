import type { ServerResponse } from 'node:http';
import { ErrorCode, type SandboxError } from '@sandbox/errors';

const HEADERS = {
  'Content-Type': 'text/plain; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'",
  'Referrer-Policy': 'same-origin',
} as const;

/**
 * Answers with a plain page that says what is wrong. It names no reason that only the owner may
 * know.
 */
export function sendPage(response: ServerResponse, { status, code, message, retryAfter }: SandboxError, ports: readonly number[]): void {
  const page = code === ErrorCode.PORT_UNREACHABLE ? `${message}\n\n${whatListens(ports)}\n` : `${message}\n`;
  if (retryAfter !== undefined) response.setHeader('Retry-After', String(Math.ceil(retryAfter)));
  response.writeHead(status, { ...HEADERS, 'Content-Length': Buffer.byteLength(page) });
  response.end(page);
}

function whatListens(ports: readonly number[]): string {
  if (ports.length === 0) return 'No program in this sandbox listens on a port.';
  return `Programs in this sandbox listen on: ${ports.join(', ')}`;
}
