import { validateDto } from '../../validation/validate-dto';
import { notSupported } from '../protocol/not-supported';
import { NetworkDto } from './sandboxes.dto';

/** How E2B writes that all addresses are meant. */
const ALL_TRAFFIC = '0.0.0.0/0';
const ALL_NAMES = '*';

/** Members of E2B's network that have no meaning here, and what they would be. */
const WITHOUT_MEANING = {
  rules: 'Changing requests on their way out (network.rules)',
  egressProxy: 'A proxy of your own (network.egressProxy)',
  maskRequestHost: 'Changing the Host header (network.maskRequestHost)',
  httpsPorts: 'A port with TLS (network.httpsPorts)',
} as const satisfies Partial<Record<keyof NetworkDto, string>>;

/**
 * Translates what E2B says of a sandbox's network into rules for names. Here a sandbox reaches
 * nothing but what it is allowed, so `denyOut` says nothing new if it denies everything.
 * @param allowsInternet `allow_internet_access`. True asks for what the operator gives by default.
 * @returns undefined if nothing is asked for, so that the operator's default holds
 * @throws SandboxError NOT_SUPPORTED, VALIDATION_FAILED
 */
export function networkRules(given: unknown, allowsInternet: boolean | undefined): { allow: string[] } | undefined {
  const network = validateDto(NetworkDto, given);
  for (const [member, what] of Object.entries(WITHOUT_MEANING)) {
    if (network[member as keyof NetworkDto] != null) throw notSupported(what);
  }
  if (network.allowPublicTraffic === false) throw notSupported('Closing ports to those without a token (network.allowPublicTraffic)');
  const { allowOut, denyOut = [] } = network;
  if (denyOut.some((rule) => rule !== ALL_TRAFFIC))
    throw notSupported(`Denying single addresses (network.denyOut, but for ${ALL_TRAFFIC})`);
  if (allowOut !== undefined) return { allow: allowOut.map((rule) => (rule === ALL_TRAFFIC ? ALL_NAMES : rule)) };
  return allowsInternet === false || denyOut.length > 0 ? { allow: [] } : undefined;
}
