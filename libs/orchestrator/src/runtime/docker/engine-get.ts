import type Docker from 'dockerode';

/** Sends a GET to the engine's API. It is for calls whose dockerode method takes no signal. */
export function engineGet<T = unknown>(docker: Docker, path: string, signal: AbortSignal): Promise<T> {
  const request = { path, method: 'GET', abortSignal: signal, statusCodes: { 200: true } };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: Error | null, answer: unknown) => (error === null ? resolve(answer as T) : reject(error)));
  });
}
