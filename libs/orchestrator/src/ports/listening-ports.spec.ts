import type { Channel } from '../channel/channel';
import { listListeningPorts } from './listening-ports';

const UNSOUND = { code: 'SANDBOX_LOST', message: 'The sandbox gave an answer that makes no sense.' };
const line = (port: unknown, address: unknown = '127.0.0.1', program: unknown = 'p'): string => JSON.stringify({ port, address, program });

/** Asks a sandbox that answers these bytes, in pieces of so many. */
async function list(text: string, size = 65_536): Promise<unknown> {
  const bytes = Buffer.from(text);
  const sendRequest: Channel['sendRequest'] = async (_request, { onOutput }) => {
    for (let at = 0; at < bytes.length; at += size) void onOutput!('stdout', bytes.subarray(at, at + size));
    return { truncated: false };
  };
  return listListeningPorts({ sendRequest } as Channel);
}

describe('listListeningPorts', () => {
  it('reads lines that come byte by byte, in the order of ports', async () => {
    const text = `${line(80, '::', 'caf\u00e9\u0007x')}\n${line(22, '0.0.0.0', null)}\n`;
    expect(await list(text, 1)).toEqual([
      { port: 22, address: '0.0.0.0', program: null },
      { port: 80, address: '::', program: 'caf\u00e9 x' },
    ]);
    expect(await list('')).toEqual([]);
  });

  it.each([
    'no json\n',
    '[]\n',
    line(1),
    `${line(0)}\n`,
    `${line(65_536)}\n`,
    `${line(1.5)}\n`,
    `${line('80')}\n`,
    `${line(80, 7)}\n`,
    `${line(80, '<b>')}\n`,
    `${line(80, '::', 7)}\n`,
    `${line(80)}\n\n`,
    `${line(80)}\n`.repeat(257),
    ' '.repeat(600_000),
  ])('refuses an answer that makes no sense: %.40j', async (text) => {
    await expect(list(text)).rejects.toMatchObject(UNSOUND);
  });
});
