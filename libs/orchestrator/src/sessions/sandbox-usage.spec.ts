import type { Channel } from '../channel/channel';
import { measureUsage, type SandboxUsage } from './sandbox-usage';

const ANSWER = { cpu: { used_us: 100_000, elapsed_us: 200_000 }, memory: { used: 7, cache: 3 }, disk: { free: 5, size: 9 } };

const measure = (answer: object): Promise<SandboxUsage> => {
  const sendRequest: Channel['sendRequest'] = async () => answer as Record<string, unknown>;
  return measureUsage({ sendRequest } as Channel);
};

describe('measureUsage', () => {
  it('reads what the agent measured', async () => {
    expect(await measure(ANSWER)).toEqual({ cpus: 0.5, memory: { used: 7, cache: 3 }, disk: { free: 5, size: 9 } });
  });

  it('makes nothing up when the kernel does not tell', async () => {
    expect(await measure({ cpu: null, memory: null, disk: { free: 5 } })).toEqual({
      cpus: null,
      memory: null,
      disk: { free: 5, size: null },
    });
  });

  it.each<[object]>([
    [{}],
    [{ ...ANSWER, cpu: { used_us: 1, elapsed_us: 0 } }],
    [{ ...ANSWER, cpu: { used_us: -1, elapsed_us: 1 } }],
    [{ ...ANSWER, memory: { used: '7', cache: 3 } }],
    [{ ...ANSWER, disk: null }],
    [{ ...ANSWER, disk: { free: 0.5 } }],
  ])('refuses an answer that makes no sense: %j', async (answer) => {
    await expect(measure(answer)).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  });
});
