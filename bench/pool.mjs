/** Looks at the pool of a service. */
import { setTimeout as sleep } from 'node:timers/promises';
import { callJson } from './client.mjs';

const FULL_MS = 60_000;

/** @returns the `pool` of GET /ready */
export const poolOf = async (service) => (await callJson(200, service, 'GET', '/ready')).pool;

/** Waits until so many sandboxes wait in the pool. @returns the pool */
export async function fullPool(service, size) {
  const giveUpAt = performance.now() + FULL_MS;
  for (;;) {
    const pool = await poolOf(service);
    if (pool.size >= size) return pool;
    if (performance.now() > giveUpAt) throw new Error(`the pool is not full: ${JSON.stringify(pool)}`);
    await sleep(100);
  }
}
