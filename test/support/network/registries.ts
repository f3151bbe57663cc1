import { execFileSync } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '../service/service';

/** @returns the URL of the registry that this machine's npm is set to */
export function npmRegistry(): URL {
  return new URL(execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim());
}

/** @returns the rule that allows a URL's host on its port */
export function ruleOf({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port !== '' ? port : protocol === 'http:' ? 80 : 443}`;
}

/**
 * Returns all addresses of names. A machine may have its registries at addresses that are not
 * public, so EGRESS_PRIVATE has to name them.
 */
export async function addressesOf(names: readonly string[]): Promise<string[]> {
  const resolver = new Resolver();
  const lists = names.flatMap((name) => [resolver.resolve4(name), resolver.resolve6(name)].map((list) => list.catch(() => [])));
  return (await Promise.all(lists)).flat();
}

/** A file of certificates. `remove` deletes it. */
export interface CaFile {
  readonly path: string;
  remove(): void;
}

/**
 * Writes a file for EGRESS_CA_FILE: the certificates that this machine's Node trusts besides its
 * own, and others.
 */
export function writeCaFile(...certificates: string[]): CaFile {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-ca-'));
  const path = join(directory, 'ca.pem');
  const { NODE_EXTRA_CA_CERTS: extra } = process.env;
  writeFileSync(path, [...(extra ? [readFileSync(extra, 'utf8')] : []), ...certificates].join('\n'));
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** @returns the servers from which apt in the sandbox’s image takes packages, one URL of each */
export async function aptSources(client: Client, session: string): Promise<URL[]> {
  const { stdout } = await client.run(
    session,
    `grep -rhoE '^[^#]*' /etc/apt/sources.list /etc/apt/sources.list.d 2> /dev/null | grep -oE 'https?://[^ ]+'`,
  );
  const urls = stdout
    .trim()
    .split('\n')
    .map((url) => new URL(url));
  return [...new Map(urls.map((url) => [url.host, url])).values()];
}

/**
 * Settings of apt for a user who is not root. It knows what the image has, keeps its lists in the
 * workspace, and downloads what is missing.
 */
const APT_SETTINGS = `Dir::State::Lists "/workspace/apt/lists";
Dir::Cache "/workspace/apt";
Dir::Log "/workspace/apt";
Debug::NoLocking "1";
Acquire::Languages "none";
`;

/** A command that lets `apt-get -c apt/settings` run in the workspace. */
export const PREPARE_APT = `mkdir -p apt/lists/partial apt/archives/partial && cat > apt/settings <<'END'\n${APT_SETTINGS}END\napt-get -c apt/settings -q update`;
