import type { Executed } from '../support/service/service';
import type { Random } from '../support/fuzzing';
import type { Call, Outcome } from './call';
import type { Journal } from './journal';
import { checkCommands, checkContainers, type FileEntry, nothingRan, type SessionLedger } from './ledger';
import type { Replica, World } from './world';

const COMMAND_TIMEOUT_S = 5;
/** No file call is silent for longer, by the agent's protocol. */
const FILE_CALL_MS = 15_000;
const FILE_SIZES = [20, 2_000, 65_536];
/** A command that runs long after its client has gone, unless the service ends it. */
export const ABANDONED_COMMAND = 'sleep 61';

/** Calls a session by REST, and notes in the session's ledger what it was told. */
export class SessionClient {
  constructor(
    private readonly world: World,
    private readonly journal: Journal,
    private readonly random: Random,
    readonly session: SessionLedger,
  ) {}

  async append(token: string): Promise<void> {
    const began = performance.now();
    const entry = { token, kind: 'command' as const, began, ended: Infinity, state: 'unknown' as const };
    this.session.commands.push(entry);
    const outcome = await this.execute('command', this.leaving(token));
    const result = executed(outcome);
    Object.assign(entry, { ended: performance.now() });
    if (nothingRan(outcome)) Object.assign(entry, { state: 'refused' });
    // A command that met a full disk has not done what it says.
    if (result?.exit_code === 0) Object.assign(entry, { state: 'acknowledged', container: result.container_id });
    else if (result) this.journal.count('command', result.timed_out ? 'timed out' : `exit ${result.exit_code}`);
  }

  /**
   * Makes a command that leaves a token. A fault may hit before and after the effect. The exit code
   * says whether there was an effect.
   */
  private leaving(token: string): string {
    const [effect, pause] = [`echo '${token}' >> ledger`, `sleep 0.${1 + this.random(9)}`];
    const commands = [effect, `${pause}; ${effect}`, `${effect} && ${pause}`];
    return commands[this.random(commands.length)]!;
  }

  /** Starts a job and waits a little for its end. Only then is it certain that the job ran. */
  async job(token: string): Promise<void> {
    const entry = { token, kind: 'job' as const, began: performance.now(), ended: Infinity, state: 'unknown' as const };
    this.session.commands.push(entry);
    const body = JSON.stringify({ command: this.leaving(token), timeout: 10 });
    const outcome = await this.call('job', 'POST', '/jobs', { body, timeoutMs: FILE_CALL_MS });
    if (nothingRan(outcome)) Object.assign(entry, { state: 'refused' });
    const id = parsed<{ job_id: string }>(outcome)?.job_id;
    for (let looks = 0; id !== undefined && looks < 8; looks++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const look = await this.call('job look', 'GET', `/jobs/${id}`, { timeoutMs: FILE_CALL_MS });
      const job = parsed<{ state: string; exit_code: number | null }>(look);
      const isLost = job?.state === 'lost' || (look.kind === 'error' && look.code === 'JOB_NOT_FOUND');
      if (isLost && !this.session.wasHarmed(entry.began)) this.violation(`job ${token} is lost though nobody ended its sandbox`);
      if (job?.state === 'exited' && job.exit_code === 0) Object.assign(entry, { state: 'acknowledged', ended: performance.now() });
      if (isLost || (job && job.state !== 'running')) break;
    }
    if (id !== undefined && this.random(2) === 0) await this.call('job delete', 'DELETE', `/jobs/${id}`, { timeoutMs: FILE_CALL_MS });
  }

  async write(path: string, token: string): Promise<void> {
    const file = this.session.file(path);
    const text = `${token}\n`;
    const version = file.attempt(token, Buffer.from(text.repeat(Math.ceil(FILE_SIZES[this.random(FILE_SIZES.length)]! / text.length))));
    const headers = { 'Content-Type': 'application/octet-stream' };
    const outcome = await this.content('write', 'PUT', path, { body: version.content, headers });
    if (outcome.kind === 'answer') file.acknowledge(version);
  }

  /** Edits a file. If the file's content is certain, the edit has to succeed. */
  async edit(path: string, token: string): Promise<void> {
    const file = this.session.file(path);
    const before = file.certain;
    if (before === undefined) return this.write(path, token);
    const version = file.attempt(token, Buffer.from(before.content.toString().replaceAll(before.token, token)));
    const body = JSON.stringify({ path, edits: [{ old: before.token, new: token, all: true }] });
    const outcome = await this.call('edit', 'POST', '/workspace/edit', { body, timeoutMs: FILE_CALL_MS });
    if (outcome.kind === 'answer') file.acknowledge(version);
    const missed = outcome.kind === 'error' && /^(EDIT_NOT_APPLICABLE|NOT_FOUND)$/.test(outcome.code);
    if (missed && !this.session.wasHarmed(before.began)) this.violation(`${path}: an edit did not find the acknowledged ${before.token}`);
  }

  async read(file: FileEntry): Promise<void> {
    const outcome = await this.content('read', 'GET', file.path, { headers: { Accept: 'application/octet-stream' } });
    const absent = outcome.kind === 'error' && outcome.code === 'NOT_FOUND';
    if (outcome.kind !== 'answer' && !absent) return;
    const problem = file.check(outcome.kind === 'answer' ? outcome.body : null);
    if (problem !== null) this.violation(problem);
  }

  /**
   * Goes away while sending a file's content, perhaps before there is a sandbox for it. No part of
   * it may be found later.
   */
  async breakOff(path: string): Promise<void> {
    const outcome = await this.judged('broken off', undefined, {
      method: 'PUT',
      path: `/sessions/${encodeURIComponent(this.session.name)}/workspace/content?path=${encodeURIComponent(path)}`,
      headers: { 'X-API-Key': this.session.apiKey, 'Content-Type': 'application/octet-stream' },
      body: Buffer.alloc(FILE_SIZES[this.random(FILE_SIZES.length)]!, 'x'),
      unfinished: true,
      timeoutMs: FILE_CALL_MS,
      abandonAfterMs: this.random(250),
    });
    if (outcome.kind === 'answer') this.violation(`${path}: half a body was taken for the whole`);
  }

  async abandon(): Promise<void> {
    const abandonAfterMs = 100 + this.random(900);
    await this.execute('abandoned', ABANDONED_COMMAND, { abandonAfterMs, timeoutS: 20 });
  }

  /** Runs a command and notes the container that answered. */
  async execute(
    kind: string,
    command: string,
    {
      timeoutS = COMMAND_TIMEOUT_S,
      replica,
      abandonAfterMs,
    }: { timeoutS?: number; replica?: Replica | undefined; abandonAfterMs?: number } = {},
  ): Promise<Outcome> {
    const body = JSON.stringify({ session_id: this.session.name, command, timeout: timeoutS });
    const headers = { 'X-API-Key': this.session.apiKey, 'Content-Type': 'application/json' };
    const call = { method: 'POST', path: '/execute', headers, body, timeoutMs: timeoutS * 1000, abandonAfterMs };
    const outcome = await this.judged(kind, replica, call);
    const result = executed(outcome);
    if (result) this.session.saw(result.container_id);
    if (result?.session_restarted) this.journal.count(kind, 'session_restarted');
    return outcome;
  }

  content(kind: string, method: string, path: string, more: { body?: Buffer; headers: Record<string, string> }): Promise<Outcome> {
    return this.call(kind, method, `/workspace/content?path=${encodeURIComponent(path)}`, { ...more, timeoutMs: FILE_CALL_MS });
  }

  /** @param path below the session's own path */
  call(
    kind: string,
    method: string,
    path: string,
    { headers, replica, ...more }: { body?: Buffer | string; headers?: Record<string, string>; timeoutMs: number; replica?: Replica },
  ): Promise<Outcome> {
    const json: Record<string, string> = typeof more.body === 'string' ? { 'Content-Type': 'application/json' } : {};
    return this.judged(kind, replica, {
      ...more,
      method,
      path: `/sessions/${encodeURIComponent(this.session.name)}${path}`,
      headers: { 'X-API-Key': this.session.apiKey, ...json, ...headers },
    });
  }

  create(): Promise<Outcome> {
    const headers = { 'X-API-Key': this.session.apiKey, 'Content-Type': 'application/json' };
    const body = JSON.stringify({ session_id: this.session.name });
    return this.judged('create', undefined, { method: 'POST', path: '/sessions', headers, body, timeoutMs: FILE_CALL_MS });
  }

  /**
   * Deletes the session.
   * @returns true if it is deleted. Then nothing of it may be found again.
   */
  async remove(): Promise<boolean> {
    const outcome = await this.call('delete', 'DELETE', '', { timeoutMs: FILE_CALL_MS });
    if (outcome.kind === 'answer') this.session.forget();
    else this.session.doubt();
    return outcome.kind === 'answer';
  }

  /**
   * Compares the session's ledger file with the commands, and its sandbox with those that should
   * have ended.
   */
  async check(): Promise<boolean> {
    const { journal, session } = this;
    const result = executed(await this.execute('check', 'touch ledger; cat ledger', { timeoutS: 30 }));
    if (result?.exit_code !== 0) return false;
    journal.violations.push(
      ...checkCommands(session, result.stdout, result.container_id),
      ...checkContainers(session, result.container_id),
    );
    return true;
  }

  /**
   * Makes a call and judges it. Only the clients delete a session, and each waits for its answer.
   */
  private async judged(kind: string, replica: Replica | undefined, call: Call): Promise<Outcome> {
    const began = performance.now();
    const outcome = await this.journal.call(kind, replica ?? this.anyReplica(), call);
    const isDeleted = outcome.kind === 'error' && outcome.code === 'SESSION_DELETED';
    if (isDeleted && !this.session.wasHarmed(began)) this.violation(`${kind}: SESSION_DELETED, and nobody has deleted it`);
    return outcome;
  }

  private violation(text: string): void {
    this.journal.violations.push(`${this.session.name}: ${text}`);
  }

  private anyReplica(): Replica {
    return this.world.replicas[this.random(this.world.replicas.length)]!;
  }
}

export function executed(outcome: Outcome): Executed | undefined {
  return parsed<Executed>(outcome);
}

function parsed<T>(outcome: Outcome): T | undefined {
  return outcome.kind === 'answer' ? (JSON.parse(outcome.body.toString()) as T) : undefined;
}
