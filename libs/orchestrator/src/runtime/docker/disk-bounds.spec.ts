import { loadConfig } from '@sandbox/config';
import type Docker from 'dockerode';
import { DiskBounds } from './disk-bounds';

/** An engine that sets quotas, or refuses such a volume with a status. */
function engine(refusal?: number): Docker {
  const volume = { remove: async () => undefined };
  const createVolume = async (): Promise<void> => {
    if (refusal !== undefined) throw Object.assign(new Error('refused'), { statusCode: refusal });
  };
  return { createVolume, getVolume: () => volume } as unknown as Docker;
}

describe('DiskBounds', () => {
  it.each([
    ['quota', undefined, ''],
    ['quota', undefined, 'runsc'],
    ['measured', 400, ''],
    ['measured', 500, 'crun'],
    ['unguarded', 400, 'runsc'],
    ['unguarded', 500, 'gvisor-kvm'],
  ])('finds %s when the engine answers %s and CONTAINER_RUNTIME is %j', async (bound, refusal, CONTAINER_RUNTIME) => {
    const config = loadConfig({ CONTAINER_RUNTIME }, { needsAuth: false });
    expect(await new DiskBounds(engine(refusal), config).bound(AbortSignal.timeout(1_000))).toBe(bound);
  });
});
