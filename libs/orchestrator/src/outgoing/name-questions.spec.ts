import { setImmediate as nextTurn } from 'node:timers/promises';
import { duplexPair } from 'node:stream';
import { answerNames, type NameAnswer } from './name-questions';

const PORTS: NameAnswer = { ports: [80, 443] };

/** The two ends of a resolver's stream, and what the host has answered so far. */
function opened(answer: (name: string) => Promise<NameAnswer> = async () => PORTS) {
  const [host, agent] = duplexPair();
  const answers: string[] = [];
  agent.setEncoding('utf8').on('data', (text: string) => answers.push(...text.trimEnd().split('\n')));
  return { agent, host, answers, ended: answerNames(host, answer) };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
}

describe('answerNames', () => {
  it('answers each question by its name when lines come in any pieces', async () => {
    const { agent, answers, ended } = opened(async (name) => (name === 'b.org' ? { refused: true } : PORTS));
    for (const piece of ['{"name":"a.o', 'rg"}\n{"name":"b.org"}\n{"na', 'me":"c.org"}\n']) agent.write(piece);
    agent.end();
    await ended;
    await settle();
    expect(answers.map((line) => JSON.parse(line))).toEqual([
      { name: 'a.org', ports: [80, 443] },
      { name: 'b.org', refused: true },
      { name: 'c.org', ports: [80, 443] },
    ]);
  });

  it('answers that it failed when the answer cannot be had', async () => {
    const { agent, answers, ended } = opened(() => Promise.reject(new Error('no store')));
    agent.end('{"name":"a.org"}\n');
    await ended;
    await settle();
    expect(answers).toEqual(['{"name":"a.org","failed":true}']);
  });

  it.each([
    ['a line is no JSON', 'x\n'],
    ['a line has no name', '{}\n'],
    ['a name is no text', '{"name":7}\n'],
    ['a line never ends', `{"name":"${'a'.repeat(600)}`],
    ['a name is asked again before its answer', '{"name":"a.org"}\n{"name":"a.org"}\n'],
    ['more names wait than an agent asks', Array.from({ length: 65 }, (_, at) => `{"name":"n${at}"}\n`).join('')],
  ])('breaks the stream off when %s', async (_when, text) => {
    const { agent, host, ended } = opened(() => new Promise(() => undefined));
    agent.on('error', () => undefined);
    host.on('error', () => undefined);
    agent.write(text);
    await expect(ended).rejects.toThrow('none that an agent asks');
    expect(host.destroyed).toBe(true);
  });

  it('reads no more questions when the agent takes no answer', async () => {
    let asked = 0;
    const [host, agent] = duplexPair();
    void answerNames(host, async () => {
      asked += 1;
      return { ports: Array.from({ length: 10_000 }, (_, at) => at) };
    }).catch(() => undefined);
    for (let at = 0; at < 200; at++) {
      agent.write(`{"name":"n${at}"}\n`);
      await nextTurn();
    }
    expect(asked).toBeLessThan(20);
    host.destroy();
  });
});
