import { sessionRef, userFromApiKey } from '@sandbox/sessions';
import type { Outcome } from './call';
import { type Interval, overlaps } from './intervals';

/** A command that writes its token into its session's ledger file, once each time it runs. */
export interface CommandEntry {
  readonly token: string;
  readonly kind: 'command' | 'job';
  readonly began: number;
  ended: number;
  /** `refused`: by an error that promises that nothing ran. */
  state: 'acknowledged' | 'refused' | 'unknown';
  /** The container in which the command ran, by its answer. */
  container?: string;
}

/** One content that a client tried to write to a file. */
export interface Version {
  readonly token: string;
  readonly content: Buffer;
  readonly began: number;
  /** The write was acknowledged, or a reader has seen the content since. */
  known: boolean;
}

/** A file that only one client writes, one call after another. */
export class FileEntry {
  readonly versions: Version[] = [];
  private lastKnown = -1;

  constructor(
    private readonly session: SessionLedger,
    readonly path: string,
  ) {}

  attempt(token: string, content: Buffer): Version {
    const version = { token, content, began: performance.now(), known: false };
    this.versions.push(version);
    return version;
  }

  acknowledge(version: Version): void {
    version.known = true;
    this.lastKnown = this.versions.indexOf(version);
  }

  /**
   * The content of the file if it is certain: the newest version is acknowledged, and nothing has
   * happened to the sandbox since.
   */
  get certain(): Version | undefined {
    const version = this.versions.at(-1);
    return version?.known && !this.mayBeLost ? version : undefined;
  }

  /** Notes that the session may have been deleted, so that nothing is certain any more. */
  doubt(): void {
    for (const version of this.versions) version.known = false;
    this.lastKnown = -1;
  }

  /**
   * Checks what a reader found, and notes which version it is.
   * @param found null if there is no file
   * @returns what is wrong, or null
   */
  check(found: Buffer | null): string | null {
    if (found === null) {
      if (this.lastKnown >= 0 && !this.mayBeLost) return `${this.at}: an acknowledged write is gone`;
      this.versions.length = 0;
      this.lastKnown = -1;
      return null;
    }
    const index = this.versions.findLastIndex(({ content }) => content.equals(found));
    if (index < 0) return `${this.at}: holds what nobody wrote, ${found.length} bytes: ${JSON.stringify(found.toString().slice(0, 80))}`;
    if (index < this.lastKnown && !this.mayBeLost) {
      return `${this.at}: an acknowledged write (${this.versions[this.lastKnown]!.token}) gave way to an older one (${this.versions[index]!.token})`;
    }
    this.acknowledge(this.versions[index]!);
    return null;
  }

  /** Whether the content may be gone: it ends with the sandbox, unless it is in a volume. */
  private get mayBeLost(): boolean {
    const since = this.versions[Math.max(this.lastKnown, 0)]?.began ?? Infinity;
    return !this.session.persistent && this.session.wasHarmed(since);
  }

  private get at(): string {
    return `${this.session.name}/${this.path}`;
  }
}

/** Everything that is known of one session that lives through the whole run. */
export class SessionLedger {
  /** The store key, also used in the names of container and volume. */
  readonly key: string;
  readonly commands: CommandEntry[] = [];
  readonly files = new Map<string, FileEntry>();
  /** When the chaos run ended the session's sandbox. */
  readonly harm: (Interval & { readonly container: string })[] = [];
  /** When an answer first came from each container. */
  readonly containersSeen = new Map<string, number>();

  constructor(
    deployment: string,
    readonly apiKey: string,
    readonly name: string,
    readonly persistent: boolean,
    /** The times that no sandbox of the engine survived. */
    private readonly outages: readonly Interval[],
  ) {
    this.key = sessionRef(deployment, userFromApiKey(apiKey), name).key;
  }

  file(path: string): FileEntry {
    let file = this.files.get(path);
    if (!file) this.files.set(path, (file = new FileEntry(this, path)));
    return file;
  }

  /** Notes that the session was deleted: it begins anew and empty. */
  forget(): void {
    this.commands.length = 0;
    this.files.clear();
    this.containersSeen.clear();
  }

  /** Notes that the session may have been deleted. */
  doubt(): void {
    for (const entry of this.commands) entry.state = 'unknown';
    for (const file of this.files.values()) file.doubt();
    this.containersSeen.clear();
  }

  /** Whether the sandbox, or the engine with all sandboxes, was harmed in this time. */
  wasHarmed(since: number, till = Infinity): boolean {
    return overlaps(this.harm, since, till) || overlaps(this.outages, since, till);
  }

  saw(container: string): void {
    if (!this.containersSeen.has(container)) this.containersSeen.set(container, performance.now());
  }

  /** Whether the chaos run ended this container. */
  wasEnded(container: string): boolean {
    const seen = this.containersSeen.get(container) ?? Infinity;
    return this.harm.some((harm) => harm.container === container) || overlaps(this.outages, seen, Infinity);
  }
}

/** Errors that promise that nothing was run. A client tries again after them. */
const NOTHING_RAN = /^(STORE_UNAVAILABLE|RUNTIME_UNAVAILABLE|RATE_LIMITED|TOO_MANY_\w+|HOST_FULL|DISK_UNAVAILABLE|COMMAND_NOT_ALLOWED)$/;

export function nothingRan(outcome: Outcome): boolean {
  return outcome.kind === 'error' && NOTHING_RAN.test(outcome.code);
}

/** Compares a session's ledger file at the end with what its clients were told. */
export function checkCommands(session: SessionLedger, ledgerFile: string, lastContainer: string): string[] {
  const times = new Map<string, number>();
  for (const [token] of ledgerFile.matchAll(/<\w+>/g)) times.set(token, (times.get(token) ?? 0) + 1);
  const violations: string[] = [];
  for (const entry of session.commands) {
    const ran = times.get(entry.token) ?? 0;
    times.delete(entry.token);
    const about = `${session.name}: ${entry.kind} ${entry.token}`;
    if (ran > 1) violations.push(`${about} ran ${ran} times`);
    if (ran === 1 && entry.state === 'refused') violations.push(`${about} was refused, and ran`);
    if (ran === 0 && entry.state === 'acknowledged' && isStillThere(session, entry, lastContainer)) {
      violations.push(`${about} was acknowledged, and its effect is not there`);
    }
  }
  for (const token of times.keys()) violations.push(`${session.name}: nobody sent ${token}`);
  return violations;
}

function isStillThere(session: SessionLedger, entry: CommandEntry, lastContainer: string): boolean {
  if (session.persistent) return true;
  return entry.container === undefined ? !session.wasHarmed(entry.began) : entry.container === lastContainer;
}

/** Finds sandboxes that were replaced although nobody had ended them. */
export function checkContainers(session: SessionLedger, lastContainer: string): string[] {
  return [...session.containersSeen.keys()]
    .filter((container) => container !== lastContainer && !session.wasEnded(container))
    .map((container) => `${session.name}: its sandbox ${container} was lost though nobody had ended it`);
}
