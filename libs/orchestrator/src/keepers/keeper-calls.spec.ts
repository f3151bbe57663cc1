import { parseJobLines } from './job-answers';
import { listKept, readKept, statKept } from './keeper-calls';
import { ended, idOf, line, linesOf, setUp } from '../jobs/testing/fake-keepers';

const UNSOUND = { code: 'SANDBOX_LOST', message: 'The sandbox gave an answer that makes no sense.' };

describe('parseJobLines and listKept', () => {
  const numbers = (count: number): object[] => Array.from({ length: count }, (_, number) => line(number));

  it('refuses a list when it has more lines than an agent sends', () => {
    expect(parseJobLines(linesOf(...numbers(256))).jobs).toHaveLength(256);
    expect(() => parseJobLines(linesOf(...numbers(257)))).toThrow(expect.objectContaining(UNSOUND));
    expect(() => parseJobLines(Buffer.from('\n'.repeat(4 * 1024 * 1024)))).toThrow(expect.objectContaining(UNSOUND));
  });

  it('gives each job once and leaves out lines when they make no sense', () => {
    const nonsense = [
      null,
      [],
      { silent: true },
      { silent: true, job_id: 'x' },
      line(1, { command: 7 }),
      line(2, { state: 'lost' }),
      line(5, { terminal: 'no' }),
    ];
    const { jobs, silent } = parseJobLines(linesOf(...(nonsense as object[]), line(3), ended(3), { job_id: idOf(4), silent: true }));
    expect(jobs.map(({ jobId, state }) => [jobId, state])).toEqual([[idOf(3), 'exited']]);
    expect([...silent]).toEqual([idOf(4)]);
  });

  it('lists jobs and no terminals when the list comes byte by byte', async () => {
    const { sandbox } = await setUp((_, send) => {
      for (const byte of linesOf(line(1), line(2, { terminal: true }), line(3))) send(Buffer.of(byte));
      return {};
    });
    expect((await listKept(sandbox)).jobs.map(({ jobId }) => jobId)).toEqual([idOf(1), idOf(3)]);
  });

  it('refuses a list when it is longer than 4 MiB', async () => {
    const { sandbox } = await setUp((_, send) => {
      for (let sent = 0; sent <= 4 * 1024 * 1024; sent += 64 * 1024) send(Buffer.alloc(64 * 1024, ' '));
      return {};
    });
    await expect(listKept(sandbox)).rejects.toMatchObject(UNSOUND);
  });
});

describe('statKept', () => {
  const ask = async (answer: object, command: string): Promise<unknown> => {
    const { sandbox } = await setUp((_, send) => {
      for (const character of Buffer.from(command)) send(Buffer.of(character));
      return answer as Record<string, unknown>;
    });
    return statKept(sandbox, idOf(1));
  };

  it('reads the longest command when it comes byte by byte', async () => {
    const command = '\u{1f600}'.repeat(16_000);
    const ascii = JSON.stringify(command).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
    expect(await ask(line(1, { command: undefined }), ascii)).toMatchObject({ jobId: idOf(1), command, state: 'running' });
  });

  it.each(['', '7', '"x', `"${'x'.repeat(64_001)}"`, `"${'x'.repeat(600_000)}`])(
    'refuses an answer when its command is no command',
    async (command) => {
      await expect(ask(line(1), command)).rejects.toMatchObject(UNSOUND);
    },
  );

  it('says that there is no such job when the answer is of another job or of a terminal', async () => {
    await expect(ask(line(2), '"x"')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    await expect(ask(line(1, { terminal: true }), '"x"')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
  });
});

describe('readKept', () => {
  const part = { next_offset: 4, gap: 0, eof: false };

  it('joins the pieces of each stream, and refuses the answer when it is longer than was asked for', async () => {
    const { sandbox } = await setUp((_, send) => {
      send(Buffer.from('a'));
      send(Buffer.from('x'), 'stderr');
      send(Buffer.from('bc'));
      return { stdout: part, stderr: part };
    });
    const { bytes } = await readKept(sandbox, idOf(1), { stdout: 0, stderr: 0 }, 4, 0);
    expect([bytes.stdout.toString(), bytes.stderr.toString()]).toEqual(['abc', 'x']);
    await expect(readKept(sandbox, idOf(1), { stdout: 0, stderr: 0 }, 3, 0)).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  });
});
