import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { run } from '../../setup/steps.mjs';

const DEADLINE_MS = 10_000;
/** Of the addresses that RFC 2544 keeps for tests. A cluster takes one /24 of them. */
const FIRST_BYTES = '198.18';
const FIRST_NODE = 10;

/**
 * The network between the nodes of a cluster and this machine. A bridge in a network namespace of
 * its own connects them, so that no firewall of this machine stands between two nodes. Everything
 * ends with the process that holds that namespace.
 */
export class ClusterNetwork {
  /**
   * @param {string} directory
   * @param {import('./cluster-programs.mjs').ClusterPrograms} programs
   */
  constructor(directory, programs) {
    Object.assign(this, { directory, programs });
  }

  async start() {
    const entered = join(this.directory, 'network-entered');
    const script = `ip link add name bridge type bridge && ip link set bridge up && touch '${entered}' && exec tail -f /dev/null`;
    this.holder = this.programs.start('network', 'sh', ['-c', script], ['unshare', '--net']);
    await this.programs.until('network', () => existsSync(entered));
    this.subnet = freeSubnet();
    const machine = `cluster${this.holder}`.slice(0, 15);
    await ip('link', 'add', 'name', machine, 'type', 'veth', 'peer', 'name', 'machine', 'netns', String(this.holder));
    await ip('address', 'add', `${this.address}/24`, 'dev', machine);
    await ip('link', 'set', machine, 'up');
    await this.inside('link', 'set', 'machine', 'master', 'bridge', 'up');
  }

  /** This machine's address, at which the API server listens. */
  get address() {
    return `${this.subnet}.1`;
  }

  /** @returns the address of a node */
  addressOf(number) {
    return `${this.subnet}.${FIRST_NODE + number}`;
  }

  /**
   * Connects a node. Its link has its address for a name: once that is down, the node is cut off.
   * @param {string} address
   * @param {number} pid of a process in the node's network namespace
   */
  async connect(address, pid) {
    const inNode = (...args) => run('nsenter', ['--net', '--target', String(pid), 'ip', ...args], { deadlineMs: DEADLINE_MS });
    await this.inside('link', 'add', 'name', address, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
    await this.inside('link', 'set', address, 'master', 'bridge', 'up');
    await inNode('link', 'set', 'lo', 'up');
    await inNode('address', 'add', `${address}/24`, 'dev', 'eth0');
    await inNode('link', 'set', 'eth0', 'up');
    await inNode('route', 'add', 'default', 'via', this.address);
  }

  inside(...args) {
    return run('nsenter', ['--net', '--target', String(this.holder), 'ip', ...args], { deadlineMs: DEADLINE_MS });
  }
}

function ip(...args) {
  return run('ip', args, { deadlineMs: DEADLINE_MS });
}

/** Another cluster of this machine may have one. */
function freeSubnet() {
  const used = Object.values(networkInterfaces()).flatMap((addresses) => addresses.map(({ address }) => address));
  for (let third = 0; ; third++) {
    const subnet = `${FIRST_BYTES}.${third}`;
    if (!used.some((address) => address.startsWith(`${subnet}.`))) return subnet;
  }
}
