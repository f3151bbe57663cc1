/**
 * The physical limit of a command: the kernel starts `sh -c true` and waits for its end. Nothing
 * carries it into the sandbox.
 */
import { plainExec } from './engine.mjs';

/**
 * So few, that a round stays within the CPU time that a sandbox may use in 100 ms. A floor that is
 * held back would flatter us.
 */
const SPAWNS = 20;

/** Prints the milliseconds of each spawn. The first ones fill the caches and do not count. */
const PROGRAM = `
import os, shutil, time
sh = shutil.which("sh")
env = dict(os.environb)
times = []
for _ in range(3 + ${SPAWNS}):
    began = time.perf_counter()
    status = os.waitpid(os.posix_spawn(sh, ["sh", "-c", "true"], env), 0)[1]
    times.append(1000 * (time.perf_counter() - began))
    if status != 0:
        raise SystemExit(1)
print(times[3:])
`;

/**
 * Spawns some commands in a sandbox, one after the other, by one `docker exec` whose own start does
 * not count.
 * @returns the milliseconds of each
 */
export async function spawnTimes(containerId) {
  const { output } = await plainExec(containerId, ['python3', '-I', '-S', '-c', PROGRAM], { keep: true });
  return JSON.parse(output);
}
