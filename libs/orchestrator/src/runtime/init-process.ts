import { DISK_WATCH } from '../channel/agent-source';

/**
 * The script of PID 1. It waits, and by that reaps every orphan. If its sleeping child is killed,
 * the loop starts another one. If the process limit is used up, that start fails and ends the
 * shell. The trap then puts a new shell in its place, without a fork. `$0` is this very text.
 *
 * Dead orphans alone may use the limit up, so that the shell never comes to wait. `jobs` collects
 * them without a fork; in dash, only after a SIGCHLD has been seen.
 */
const WAIT_FOREVER = `trap 'exec sh -c "$0" "$0"' EXIT; kill -s CHLD $$; jobs; while :; do sleep 2147483647 & wait $!; done`;

/**
 * The kernel shields PID 1 from its own namespace's signals, but for those it has handlers for, and
 * shells handle SIGINT; gVisor's kernel shields it from none. Those that would end it are ignored
 * here, and stay ignored in all that follows. And some OCI runtimes give a tmpfs the mode of the
 * directory that it hides, whatever mode= says.
 */
const BEGIN = `trap '' 1 2 3 4 5 6 7 8 10 11 12 13 14 15 24 25 26 27 29 30 31; chmod 0700 /workspace;`;

/**
 * Puts the program of agent/disk/ in the place of the shell. The program goes by the environment of
 * PID 1 alone, so that a process listing stays readable. Without python3 the session ends all the
 * same: its agent cannot start, and the answer says what the image lacks.
 */
const WATCH_DISK = `if command -v python3 >/dev/null; then export DISK_WATCH="$1"; exec python3 -I -S -c 'import os; exec(os.environ["DISK_WATCH"])' "$2" "$3" "$4"; fi;`;

/** By this word the agent knows that PID 1 watches the disk (agent/processes/disk_limits.py). */
const WATCHED = 'sandbox-disk';

/** PID 1 of a sandbox whose workspace is in memory. */
export const WAITING_INIT: readonly string[] = ['sh', '-c', `${BEGIN} exec sh -c "$0" "$0"`, WAIT_FOREVER];

/**
 * PID 1 of a sandbox whose workspace is on the host's disk.
 * @param bytes the most that it may take; 0: the kernel sees to that
 * @param entries the most files and directories that it may have
 */
export function watchingInit(bytes: number, entries: number): string[] {
  return ['sh', '-c', `${BEGIN} ${WATCH_DISK} exec sh -c "$0" "$0"`, WAIT_FOREVER, DISK_WATCH, WATCHED, String(bytes), String(entries)];
}
