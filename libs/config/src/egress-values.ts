import { type CidrList, type EgressRules, parseCidrs, parseNameServers, parseRules } from '@sandbox/egress';
import { items } from './comma-list';

/** How the variables of the outgoing network become values. */

/** @throws Error that says which entry is no rule */
export function egressRules(value: string): EgressRules {
  return checked(items(value), parseRules, 'a name such as pypi.org, *.example.com or example.com:22, packages, git, or *');
}

/** @throws Error that says which entry is no address and no range */
export function addressRanges(value: string): CidrList {
  return checked(items(value), parseCidrs, 'an address such as 10.0.0.5, or a range such as 10.1.0.0/16');
}

/** @throws Error that says which entry is no DNS server */
export function dnsServers(value: string): readonly string[] {
  return Object.freeze(checked(items(value), parseNameServers, 'the address of a DNS server, such as 9.9.9.9 or 9.9.9.9:53'));
}

/** The errors of `parse` repeat an entry, and those of settings repeat no value. */
function checked<T>(entries: string[], parse: (entries: readonly string[]) => T, form: string): T {
  entries.forEach((entry, at) => {
    try {
      parse([entry]);
    } catch {
      throw new Error(`has an entry that is wrong, number ${at + 1}: it must be ${form}`);
    }
  });
  return parse(entries);
}
