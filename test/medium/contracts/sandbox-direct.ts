import { once } from 'node:events';
import { run, testOwner } from '../../support/adapters/docker';
import { TEST_CHANNEL, UNDER_GVISOR } from '../../support/engine-under-test';
import type { RuntimeUnderTest } from './runtime-under-test';

/** Connects as an agent does, and says what came back. */
const CLIENT = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect("/run/sandbox/" + sys.argv[1])
    s.sendall(sys.argv[2].encode())
    print(s.makefile().read())
except OSError as error:
    print(type(error).__name__)
`;

/** The part of the runtimes' contract that is about the way into a sandbox past the engine. */
export function describeDirectWay(subject: RuntimeUnderTest): void {
  const runtime = subject.create();
  const connect = async (id: string, name: string, token: string): Promise<string> =>
    (await run(runtime, id, ['python3', '-c', CLIENT, name, token])).stdout.trim();

  (TEST_CHANNEL === 'direct' && !UNDER_GVISOR ? describe : describe.skip)('the direct way', () => {
    const [mine, other] = [testOwner(), testOwner()];
    let ids: string[];
    beforeAll(async () => {
      ids = (await Promise.all([mine, other].map((owner) => runtime.ensureSandbox(owner)))).map(({ id }) => id);
    });

    it('leads from a process in the sandbox to this process when it shows the token', async () => {
      const { name, token, connection } = (await runtime.listenDirectly(ids[0]!))!;
      const printed = connect(ids[0]!, name, token);
      (await connection).end('from the host');
      expect(await printed).toBe('+from the host');
    });

    it('leads from no other sandbox', async () => {
      const { name, token, close } = (await runtime.listenDirectly(ids[0]!))!;
      expect(await connect(ids[1]!, name, token)).toBe('FileNotFoundError');
      close();
    });

    it('leads from the same sandbox again when that is made anew', async () => {
      await subject.vanish(other.key);
      const { id } = await runtime.ensureSandbox(other);
      const { name, token, connection } = (await runtime.listenDirectly(id))!;
      const printed = connect(id, name, token);
      (await connection).end();
      expect(await printed).toBe('+');
    });

    it('leads from a sandbox of the pool when a session has claimed it', async () => {
      const claimer = testOwner();
      for await (const waiting of runtime.fillPool(1)) {
        const { name, token, connection } = (await runtime.listenDirectly(waiting.id))!;
        const claimed = await runtime.claimSandbox(claimer, waiting);
        const printed = connect(claimed!.id, name, token);
        const ours = await connection;
        ours.resume();
        await once(ours.end(), 'close');
        expect(await printed).toBe('+');
        break;
      }
    });

    it('is none when the sandbox is gone', async () => {
      expect(await runtime.listenDirectly('0'.repeat(64))).toBeNull();
    });
  });
}
