import { denial, type DenialReason, type EgressDenial } from './denial';
import { readRequestHost } from './http-host';
import { normalizeName } from './names';
import { readServerName } from './tls-hello';

const HTTP_PORT = 80;
const HTTPS_PORT = 443;
/** The two bytes that TLS begins with: a handshake record, of version 3 in whatever minor. */
const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR = 3;
/** A hello or a request's head is complete by then, or denied. */
const MOST_BYTES = 65_536;

type Outcome = 'more' | 'pass' | EgressDenial;

/**
 * Looks at what a program sends first on a connection to a name, before any of it leaves the host.
 * What begins as TLS must ask for that name. On port 80, the first request must be for it, as
 * HTTP/1. Anything else is a way to another server behind the same address. What does not begin as
 * TLS passes on all other ports, since nothing is known of it: ssh, databases, mail.
 *
 * It holds at most 64 KiB and one piece more.
 */
export class FirstBytes {
  private bytes = Buffer.alloc(0);
  private length = 0;
  /** The bytes without which another look would find nothing new. */
  private needed = 1;
  private outcome: Outcome = 'more';

  /** @param name the name that was asked for, in the form of normalizeName() */
  constructor(
    private readonly name: string,
    private readonly port: number,
  ) {}

  /**
   * @returns 'more' until enough is known. After 'pass', what was pushed may leave (takeBytes), and
   *   nothing further needs to be pushed. After a denial, nothing may leave.
   */
  push(chunk: Buffer): Outcome {
    if (this.outcome !== 'more') return this.outcome;
    this.append(chunk);
    if (this.length >= this.needed) this.decide(this.look(this.bytes.subarray(0, this.length)));
    return this.outcome;
  }

  /**
   * Says that nothing follows. A program that sent nothing may go on listening: a server may speak
   * first. What was only begun is denied.
   */
  end(): 'pass' | EgressDenial {
    if (this.outcome === 'more') this.decide(this.length === 0 ? 'pass' : this.deny(this.reasonOfHalf()));
    return this.outcome as 'pass' | EgressDenial;
  }

  /** @returns all that was pushed, in order, and lets go of it */
  takeBytes(): Buffer {
    const taken = this.bytes.subarray(0, this.length);
    this.bytes = Buffer.alloc(0);
    this.length = 0;
    return taken;
  }

  private decide(outcome: Outcome): void {
    this.outcome = outcome;
    if (typeof outcome === 'object') this.takeBytes();
  }

  private append(chunk: Buffer): void {
    const length = this.length + chunk.length;
    if (length > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * length, MOST_BYTES)));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    chunk.copy(this.bytes, this.length);
    this.length = length;
  }

  private look(bytes: Buffer): Outcome {
    const [first, second] = bytes;
    if (first === TLS_HANDSHAKE && (second === TLS_MAJOR || this.port === HTTPS_PORT)) return this.lookAtHello(bytes);
    if (this.port === HTTP_PORT) return this.lookAtRequest(bytes);
    if (first === TLS_HANDSHAKE && second === undefined) return this.more(2);
    return this.port === HTTPS_PORT ? this.lookForOldHello(bytes) : 'pass';
  }

  private lookAtHello(bytes: Buffer): Outcome {
    const hello = readServerName(bytes);
    if (hello.state === 'more') return this.more(hello.needed);
    if (hello.state !== 'found') return this.deny('tls_name_missing');
    return normalizeName(hello.name) === this.name ? 'pass' : this.deny('tls_name_mismatch');
  }

  private lookAtRequest(bytes: Buffer): Outcome {
    // A TLS hello of which only the first byte is there.
    if (bytes.length < 2 && bytes[0] === TLS_HANDSHAKE) return this.more(2);
    const host = readRequestHost(bytes);
    if (host.state === 'more') return this.more(bytes.length + 1);
    if (host.state === 'malformed') return this.deny('not_http');
    const isName = host.state === 'found' && host.name === this.name && (host.port ?? HTTP_PORT) === HTTP_PORT;
    return isName ? 'pass' : this.deny('http_host_mismatch');
  }

  /** A hello in the form of SSL 2.0 (RFC 5246, appendix E.2) can carry no server name. */
  private lookForOldHello(bytes: Buffer): Outcome {
    if (bytes[0]! < 0x80) return 'pass';
    if (bytes.length < 4) return this.more(4);
    return bytes[2] === 1 && (bytes[3] === TLS_MAJOR || bytes[3] === 0) ? this.deny('tls_name_missing') : 'pass';
  }

  private reasonOfHalf(): DenialReason {
    return this.port === HTTP_PORT && this.bytes[0] !== TLS_HANDSHAKE ? 'not_http' : 'tls_name_missing';
  }

  private more(needed: number): Outcome {
    this.needed = needed;
    return 'more';
  }

  private deny(reason: DenialReason): EgressDenial {
    return denial(this.name, this.port, reason);
  }
}
