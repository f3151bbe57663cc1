import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Networks, such as 10.0.0.0/8. Each holds addresses of its own family alone. */
export type CidrList = readonly (readonly [network: Address, prefix: number])[];

const MAX_CIDRS = 256;
/** The machine's addresses change seldom, and it may have a thousand interfaces. */
const OWN_ADDRESSES_MS = 10_000;

/** Azure answers its virtual machines at this public address: DHCP, health, settings. */
const AZURE = '168.63.129.16';
/** Global unicast addresses are all from here (RFC 4291). Mapped and translated ones are not. */
const GLOBAL_IPV6 = parseCidrs(['2000::/3']);

let own: { readonly addresses: ReadonlySet<string>; readonly until: number } | undefined;

/**
 * Whether a sandbox may be connected to an address: a public one that is not this machine's, or one
 * that the operator excepts (EGRESS_PRIVATE). Anything that is no address is refused.
 *
 * Refused are private, loopback, link-local, metadata, CGNAT, multicast, documentation and reserved
 * addresses, and every form that carries an IPv4 address within an IPv6 one.
 * @param exceptions are asked first, so they may even name an address of this machine
 */
export function isPublic(address: string, exceptions: CidrList, ownAddresses: ReadonlySet<string> = addressesOfThisMachine()): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  if (isIn(parsed, exceptions)) return true;
  if (parsed.range() !== 'unicast' || address === AZURE) return false;
  return (parsed.kind() === 'ipv4' || isIn(parsed, GLOBAL_IPV6)) && !ownAddresses.has(parsed.toString());
}

/**
 * Reads addresses and networks in CIDR notation, such as `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`.
 * @throws Error that names the first which is neither
 */
export function parseCidrs(texts: readonly string[]): CidrList {
  if (texts.length > MAX_CIDRS) throw new Error(`there are ${texts.length} addresses, and at most ${MAX_CIDRS} may be given`);
  return texts.map((text) => {
    const [, address = '', prefixText] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
    const network = parseAddress(address);
    const bits = network?.kind() === 'ipv4' ? 32 : 128;
    const prefix = prefixText === undefined ? bits : Number(prefixText);
    if (network === undefined || prefix > bits)
      throw new Error(`${JSON.stringify(text.slice(0, 80))} is neither an IP address nor a network such as 10.0.0.0/8`);
    return [network, prefix];
  });
}

/** @returns undefined for what is no whole address: `127.1` and `fe80::1%eth0` are none */
function parseAddress(text: string): Address | undefined {
  return isIP(text) === 0 || text.includes('%') ? undefined : ipaddr.parse(text);
}

function isIn(address: Address, networks: CidrList): boolean {
  return networks.some(([network, prefix]) => network.kind() === address.kind() && address.match(network, prefix));
}

function addressesOfThisMachine(): ReadonlySet<string> {
  if (own === undefined || own.until < performance.now()) {
    const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    const addresses = new Set(all.map(({ address }) => parseAddress(address)?.toString() ?? address));
    own = { addresses, until: performance.now() + OWN_ADDRESSES_MS };
  }
  return own.addresses;
}
