import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { run, sh, testOwner } from '../../support/adapters/docker';
import type { RuntimeUnderTest } from './runtime-under-test';

/** The part of the runtimes' contract that is about the processes in a sandbox. */
export function describeExec(subject: RuntimeUnderTest): void {
  const runtime = subject.create();

  describe('exec', () => {
    const owner = testOwner();
    let id: string;
    beforeAll(async () => {
      ({ id } = await runtime.ensureSandbox(owner));
    });

    it('gives stdout, stderr and the exit code when a process ends', async () => {
      expect(await run(runtime, id, ['sh', '-c', 'head -n 1; echo err >&2; exit 7'], 'in\n')).toEqual({
        stdout: 'in\n',
        stderr: 'err\n',
        exitCode: 7,
      });
    });

    it('passes arguments unchanged when they hold odd characters', async () => {
      const { stream } = await runtime.startProcess(id, ['sh', '-c', 'echo "$HOME|$1"', 'sh', "$(id) 'x'"]);
      expect((await buffer(stream)).toString()).toBe("/workspace|$(id) 'x'\n");
    });

    it('keeps the last 2 KiB when stderr is longer', async () => {
      const { stderr } = await sh(runtime, id, 'seq 100000 >&2; echo last >&2');
      expect(stderr).toHaveLength(2048);
      expect(stderr.endsWith('100000\nlast\n')).toBe(true);
    });

    it('carries all bytes both ways when there are 5 MB', async () => {
      const bytes = randomBytes(5_000_000);
      const { stream, ended } = await runtime.startProcess(id, ['head', '-c', '5000000']);
      stream.end(bytes);
      expect((await buffer(stream)).equals(bytes)).toBe(true);
      expect(await ended).toEqual({ exitCode: 0, stderr: '' });
    });

    it('makes a process wait when nobody reads its output', async () => {
      const script = 'head -c 50000000 /dev/zero; touch /tmp/written';
      const { stream, ended } = await runtime.startProcess(id, ['sh', '-c', script]);
      await once(stream, 'readable');
      // The pipes, the engine and the kernel's socket buffers hold far less than what is written.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect((await sh(runtime, id, 'test -e /tmp/written')).exitCode).toBe(1);
      expect(stream.readableLength).toBeLessThan(1_000_000);
      expect(await buffer(stream)).toHaveLength(50_000_000);
      expect((await ended).exitCode).toBe(0);
    });

    it('makes a writer wait when its process does not read', async () => {
      const { stream } = await runtime.startProcess(id, ['sleep', '600']);
      let taken = 0;
      const chunk = Buffer.alloc(64 * 1024);
      while (taken < 50_000_000) {
        const ready = stream.write(chunk) || (await drained(stream, 1000));
        if (!ready) break;
        taken += chunk.length;
      }
      expect(taken).toBeLessThan(50_000_000);
      stream.destroy();
    });

    it('closes stdin, so that the process ends, when the stream is destroyed', async () => {
      const { stream, ended } = await runtime.startProcess(id, ['sh', '-c', 'cat > /dev/null; touch /tmp/closed']);
      stream.write('some');
      stream.destroy();
      expect((await ended).stderr).toBe('');
      await until(async () => (await sh(runtime, id, 'test -e /tmp/closed')).exitCode === 0);
    });

    it('throws SANDBOX_LOST when the sandbox is stopped or gone', async () => {
      const lost = testOwner();
      const sandbox = await runtime.ensureSandbox(lost);
      const { stream, ended } = await runtime.startProcess(sandbox.id, ['cat']);
      stream.write('running');
      await once(stream, 'readable');
      await subject.kill(lost.key);
      await expect(runtime.startProcess(sandbox.id, ['true'])).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
      expect((await buffer(stream)).toString()).toBe('running');
      await ended;
      await runtime.removeSandbox(lost.key);
      await expect(runtime.startProcess(sandbox.id, ['true'])).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    });
  });
}

async function drained(stream: NodeJS.WritableStream, milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    stream.once('drain', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('condition not met');
}
