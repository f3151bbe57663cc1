import { isIP } from 'node:net';

const MAX_SERVERS = 8;

/**
 * Reads name servers: an address, or with a port `10.0.0.53:5353`, `[fd00::53]:5353`.
 * @returns them as dns.setServers() takes them
 * @throws Error that names the first which is none
 */
export function parseNameServers(texts: readonly string[]): string[] {
  if (texts.length > MAX_SERVERS) throw new Error(`there are ${texts.length} name servers, and at most ${MAX_SERVERS} may be given`);
  return texts.map((text) => {
    const server = text.trim();
    if (isIP(server) !== 0 && !server.includes('%')) return server;
    const [, inBrackets, ipv4, port = '53'] = /^(?:\[([^\]%]*)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(server) ?? [];
    const isServer =
      (inBrackets === undefined ? isIP(ipv4 ?? '') === 4 : isIP(inBrackets) === 6) && Number(port) >= 1 && Number(port) <= 65_535;
    if (!isServer) throw new Error(`${JSON.stringify(text.slice(0, 80))} is no name server: an IP address, and a port if it is not 53`);
    return server;
  });
}
