import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError } from '../../setup/steps.mjs';

const STOP_MS = 10_000;

/** What a service manager waits before it starts a program again. */
const RESTART_MS = 500;

/**
 * The programs of a cluster. Each has a log and a file with its process id in the directory. They
 * end with this process.
 */
export class ClusterPrograms {
  running = new Map();
  supervised = false;

  /**
   * @param {string} directory
   * @param {string} path PATH of the programs
   */
  constructor(directory, path) {
    this.directory = directory;
    this.env = { PATH: path, HOME: directory };
  }

  /** @param {readonly string[]} enter a command that runs the program, such as nsenter */
  start(name, program, args, enter = []) {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    // A session of its own, because Ctrl-C is for this process, which stops the cluster after the
    // tests.
    const [command, ...rest] = ['setpriv', '--pdeathsig', 'TERM', ...enter, program, ...args];
    const child = spawn(command, rest, { cwd: '/', env: this.env, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    const started = { child, ended: false, end: null };
    started.end = new Promise((resolve) => {
      for (const event of ['exit', 'error']) child.once(event, resolve);
    }).then(() => {
      started.ended = true;
      if (this.supervised) setTimeout(() => this.restart(name, started, [program, args, enter]), RESTART_MS).unref();
    });
    this.running.set(name, started);
    writeFileSync(join(this.directory, `${name}.pid`), String(child.pid));
    return child.pid;
  }

  /** From now on, a program that ends is started again, as a service manager does it. */
  supervise() {
    this.supervised = true;
  }

  /** Unless it is to be stopped, or was started again already. */
  restart(name, ended, start) {
    if (this.supervised && this.running.get(name) === ended) this.start(name, ...start);
  }

  /** Repeats a check until it holds. A program that has ended meanwhile ends the wait. */
  async until(what, check, deadlineMs = 120_000) {
    const end = performance.now() + deadlineMs;
    while (!(await check())) {
      const [ended] = [...this.running].find(([, { ended: isOver }]) => isOver) ?? [];
      if (ended !== undefined) throw new SetupError(`${ended} has ended; its log ends:\n${this.endOfLog(ended)}`);
      if (performance.now() > end) throw new SetupError(`The cluster has no ${what} after ${deadlineMs / 1000} s; see ${this.directory}.`);
      await sleep(100);
    }
  }

  /** Stops programs, the named ones at once, and kills those that take long. */
  async stop(names, deadlineMs = STOP_MS) {
    this.supervised = false;
    const stopped = names.map((name) => this.running.get(name)).filter((each) => each !== undefined);
    for (const { child, ended } of stopped) if (!ended) child.kill('SIGTERM');
    await Promise.race([Promise.all(stopped.map(({ end }) => end)), sleep(deadlineMs, undefined, { ref: false })]);
    for (const { child, ended } of stopped) if (!ended) child.kill('SIGKILL');
    await Promise.all(stopped.map(({ end }) => end));
    for (const name of names) this.running.delete(name);
  }

  endOfLog(name) {
    return readFileSync(join(this.directory, `${name}.log`), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(-15)
      .join('\n');
  }
}
