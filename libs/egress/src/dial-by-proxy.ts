import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { rootCertificates } from 'node:tls';
import { DialError } from './dial-error';
import type { EgressProxy } from './proxy';

/** A proxy's answer may have this many bytes before the connection's own begin. */
const MAX_ANSWER_BYTES = 16_384;

/**
 * Connects to a name through an HTTP proxy by CONNECT (RFC 9110, section 9.3.6). The proxy resolves
 * the name, so the proxy has to refuse private addresses.
 * @param signal ends the attempt
 * @throws DialError `proxy_refused` if the proxy answers by another status than 2xx; else what the
 *   socket throws
 */
export function dialByProxy(proxy: EgressProxy, name: string, port: number, signal: AbortSignal): Promise<Socket> {
  const authority = `${name}:${port}`;
  const options: RequestOptions & { allowHalfOpen: boolean; noDelay: boolean } = {
    host: proxy.host,
    port: proxy.port,
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...(proxy.authorization !== undefined && { 'proxy-authorization': proxy.authorization }) },
    agent: false,
    // Else Node takes the name for the proxy's certificate from the Host field.
    servername: isIP(proxy.host) === 0 ? proxy.host : '',
    maxHeaderSize: MAX_ANSWER_BYTES,
    ...(proxy.ca !== undefined && { ca: [...rootCertificates, proxy.ca] }),
    allowHalfOpen: true,
    noDelay: true,
    signal,
  };
  const asking = proxy.isSecure ? httpsRequest(options) : httpRequest(options);
  return new Promise<Socket>((resolve, reject) => {
    asking.on('error', reject).on('connect', ({ statusCode = 0 }, socket, head) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        reject(new DialError('proxy_refused'));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asking.end();
  });
}
