import { promises as dns } from 'node:dns';

/** What is known of a name. Plain data. */
export type Resolution =
  | { readonly state: 'found'; readonly addresses: readonly string[] }
  /** At least one address is not allowed. It is named for the operator's log alone. */
  | { readonly state: 'private'; readonly address: string }
  /** There is no such name, or it has no address. */
  | { readonly state: 'absent' }
  /** No server answered in time, or too many names are being asked for. */
  | { readonly state: 'failed' };

export interface NameResolver {
  /**
   * Asks the servers for the addresses of a name, or remembers them. It takes at most 5 s, and
   * never throws.
   * @param name in the form of normalizeName(), and already allowed: it is sent to the servers
   * @param asker on whose behalf, for `turns`
   */
  resolve(name: string, asker: string): Promise<Resolution>;
}

/** Decides how many names are asked for at once, in all and for one asker, and how many wait. */
export interface Turns {
  /**
   * Runs the task when it is its asker's turn.
   * @param signal ends the wait, never the task
   * @throws if too many wait, or the signal ended the wait
   */
  runLimited<T>(asker: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export interface ResolverOptions {
  /** As parseNameServers() returns them. None: those of the host. */
  readonly servers: readonly string[];
  /** Whether a sandbox may be connected to an address. It is asked for each one of each answer. */
  readonly isAllowedAddress: (address: string) => boolean;
  readonly turns: Turns;
}

/** One record of type A or AAAA. */
interface AddressRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

/** What the servers say of one type. */
interface Answer {
  readonly records: readonly AddressRecord[];
  /** Whether they say that there are no records. They may also say nothing, or that they failed. */
  readonly isNone: boolean;
}

interface Remembered {
  readonly resolution: Resolution;
  readonly until: number;
}

/** From the question to the answer, with the wait for a turn. */
const TIMEOUT_MS = 5_000;
/** c-ares sends a question again after this time, and gives up after twice as long again. */
const TRY_MS = 1_500;
const TRIES = 2;
/** When A or AAAA is there, the other is waited for this long. Some servers never answer one. */
const OTHER_TYPE_MS = 1_000;

const MIN_TTL_S = 1;
const MAX_TTL_S = 60;
const FAILURE_TTL_S = 1;
const MAX_REMEMBERED = 4_096;
/** All addresses are checked. These are enough to connect to. */
const MAX_ADDRESSES = 16;

const FAILED: Resolution = { state: 'failed' };

/**
 * Resolves names on behalf of sandboxes. All addresses of a name must be allowed, even if one alone
 * would be dialled: a name with public and private ones is an attack or a mistake. The caller dials
 * an address of the answer, so a name that changes in between (DNS rebinding) gains nothing.
 */
export function createNameResolver({ servers, isAllowedAddress, turns }: ResolverOptions): NameResolver {
  const client = new dns.Resolver({ timeout: TRY_MS, tries: TRIES });
  if (servers.length > 0) client.setServers(servers);
  const remembered = new Map<string, Remembered>();
  const underWay = new Map<string, Promise<Resolution>>();

  async function ask(name: string): Promise<Resolution> {
    const answers = await answersOf(client.resolve4(name, { ttl: true }), client.resolve6(name, { ttl: true }));
    const resolution = judge(answers, isAllowedAddress);
    remember(name, resolution, resolution.state === 'found' ? ttlOf(answers) : FAILURE_TTL_S);
    return resolution;
  }

  function remember(name: string, resolution: Resolution, ttl: number): void {
    remembered.delete(name);
    remembered.set(name, { resolution, until: performance.now() + ttl * 1_000 });
    if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!);
  }

  async function lookUp(name: string, asker: string): Promise<Resolution> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const timedOut = new Promise<Resolution>((resolve) => signal.addEventListener('abort', () => resolve(FAILED), { once: true }));
    try {
      return await Promise.race([turns.runLimited(asker, () => ask(name), signal), timedOut]);
    } catch {
      return FAILED;
    } finally {
      underWay.delete(name);
    }
  }

  return {
    resolve: async (name, asker) => {
      const known = remembered.get(name);
      if (known !== undefined && known.until > performance.now()) return known.resolution;
      const found = underWay.get(name) ?? lookUp(name, asker);
      underWay.set(name, found);
      return found;
    },
  };
}

async function answersOf(a: Promise<AddressRecord[]>, aaaa: Promise<AddressRecord[]>): Promise<Answer[]> {
  const questions = [readAnswer(a), readAnswer(aaaa)];
  const both = Promise.all(questions);
  const first = await Promise.race(questions);
  if (first.records.length === 0) return both;
  let timer: NodeJS.Timeout;
  const waited = new Promise<Answer[]>((resolve) => (timer = setTimeout(() => resolve([first]), OTHER_TYPE_MS)));
  return Promise.race([both, waited]).finally(() => clearTimeout(timer));
}

async function readAnswer(question: Promise<AddressRecord[]>): Promise<Answer> {
  try {
    return { records: await question, isNone: false };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { records: [], isNone: code === 'ENOTFOUND' || code === 'ENODATA' };
  }
}

function judge(answers: readonly Answer[], isAllowedAddress: (address: string) => boolean): Resolution {
  const records = answers.flatMap((answer) => answer.records);
  const refused = records.find((record) => !isAllowedAddress(record.address));
  if (refused !== undefined) return { state: 'private', address: refused.address };
  if (records.length > 0) return { state: 'found', addresses: inTurn(answers).slice(0, MAX_ADDRESSES) };
  return answers.every((answer) => answer.isNone) ? { state: 'absent' } : FAILED;
}

/** IPv4 and IPv6 in turn, IPv4 first: more hosts lack a working IPv6 than a working IPv4. */
function inTurn(answers: readonly Answer[]): string[] {
  const longest = Math.max(...answers.map((answer) => answer.records.length));
  return Array.from({ length: longest }, (_, at) => answers.flatMap((answer) => answer.records[at]?.address ?? [])).flat();
}

function ttlOf(answers: readonly Answer[]): number {
  const shortest = Math.min(...answers.flatMap((answer) => answer.records.map((record) => record.ttl)));
  return Math.max(MIN_TTL_S, Math.min(MAX_TTL_S, shortest));
}
