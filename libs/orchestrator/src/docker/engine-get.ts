import type Docker from 'dockerode';

/** A GET of the engine's API, for the calls to which dockerode's own methods pass no signal. */
export function engineGet<T = unknown>(docker: Docker, path: string, signal: AbortSignal): Promise<T> {
  const request = { path, method: 'GET', abortSignal: signal, statusCodes: { 200: true } };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: Error | null, answer: unknown) => (error === null ? resolve(answer as T) : reject(error)));
  });
}
