import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { callJson, execute } from '../client.mjs';
import { docker } from '../engine.mjs';
import { boundRow, mebibytes, rateRow } from '../figures.mjs';
import { percentiles, ratesOf } from '../measure.mjs';
import { startNameServer } from '../name-server.mjs';
import { cgroupBytes } from '../processes.mjs';

export const name = 'network';
export const title = 'Servers reached from a sandbox, by name';

const MIB = 2 ** 20;
const BYTES = 100 * MIB;
const HOST = 'bench.test';
const SERVER = '127.0.78.1';
/** An agent ends what it does not need after 30 s. */
const SETTLE_MS = { full: 40_000, quick: 2_000 };
const CPUS = [undefined, 2];
const runProgram = promisify(execFile);

/**
 * Connects, sends a request and reads the first byte, 50 times. Prints the milliseconds of each.
 * The name is resolved before, as a program does that keeps its addresses.
 */
const CONNECTS = `
import socket, sys, time
address = (socket.gethostbyname(sys.argv[1]), int(sys.argv[2]))
for _ in range(51):
    begin = time.perf_counter()
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /byte HTTP/1.0\\r\\nHost: ${HOST}\\r\\n\\r\\n")
        connection.recv(1)
    print((time.perf_counter() - begin) * 1000)
    # A session may open 100 connections a second.
    time.sleep(0.02)
`;

export async function run(scope) {
  const { port, stop } = await startServer();
  const names = await startNameServer(SERVER);
  try {
    const rules = `${HOST}:${port}`;
    const env = { EGRESS_ALLOW: rules, EGRESS_DNS: names.address, EGRESS_PRIVATE: SERVER, MAX_SESSION_CPUS: '4' };
    const service = await scope.start({ env });
    await downloads(scope, service, port, rules);
    await connects(scope, service, port);
    await memory(scope, service, rules);
  } finally {
    names.stop();
    stop();
  }
}

async function startServer() {
  const piece = Buffer.alloc(MIB, 'x');
  const server = createServer(async ({ url }, response) => {
    if (url === '/byte') return response.end('x');
    response.setHeader('Content-Length', BYTES);
    for (let sent = 0; sent < BYTES && !response.destroyed; sent += MIB)
      if (!response.write(piece)) await once(response, 'drain').catch(() => undefined);
    return response.end();
  });
  server.listen(0, SERVER);
  await once(server, 'listening');
  return { port: server.address().port, stop: () => (server.closeAllConnections(), server.close()) };
}

async function downloads(scope, service, port, rules) {
  const options = ['-sS', '-o', '/dev/null', '-w', '%{time_total}'];
  const quoted = options.map((word) => `'${word}'`).join(' ');
  for (const cpus of CPUS) {
    const session = `download${cpus ?? ''}`;
    await callJson(200, service, 'POST', '/sessions', { session_id: session, network: { allow: [rules] }, ...(cpus && { cpus }) });
    const ours = [];
    const floor = [];
    for (let round = -1; round < scope.pick(5, 2); round++) {
      const { stdout: inside } = await execute(service, session, `curl ${quoted} http://${HOST}:${port}/`, { timeout: 60 });
      const { stdout: outside } = await runProgram('curl', [...options, `http://${SERVER}:${port}/`]);
      if (round < 0) continue;
      ours.push(mebibytes(BYTES) / Number(inside));
      floor.push(mebibytes(BYTES) / Number(outside));
    }
    const what = `100 MiB downloaded by curl${cpus === undefined ? '' : `, in a sandbox with ${cpus} cores`}`;
    scope.row(rateRow({ what, ours: ratesOf(ours), floor: ratesOf(floor), floorName: 'curl on the host', unit: 'MiB/s', goal: 0.5 }));
  }
}

async function connects(scope, service, port) {
  const extra = [];
  for (let round = 0; round < scope.pick(6, 2); round++) {
    const inside = (await execute(service, 'download2', `python3 -c '${CONNECTS}' ${HOST} ${port}`)).stdout;
    const outside = (await runProgram('python3', ['-c', CONNECTS, SERVER, String(port)])).stdout;
    const [ours, floor] = [inside, outside].map((text) => percentiles(text.trim().split('\n').slice(1).map(Number)).p50);
    extra.push(ours - floor);
  }
  scope.row(
    boundRow({ what: 'what a new connection takes longer than on the host (p50)', value: percentiles(extra).p50, unit: 'ms', goal: 3 }),
  );
}

/** Compares sandboxes in which nothing but `true` has run. */
async function memory(scope, service, rules) {
  const groups = [undefined, { allow: [rules] }].map((network, group) => ({
    network,
    names: [1, 2, 3, 4].map((n) => `memory-${group}-${n}`),
  }));
  for (const { network, names } of groups) {
    for (const session_id of names) {
      await callJson(200, service, 'POST', '/sessions', { session_id, ...(network && { network }) });
      await execute(service, session_id, 'true');
    }
  }
  await sleep(scope.pick(SETTLE_MS.full, SETTLE_MS.quick));
  const sizes = [];
  for (const { names } of groups) {
    const each = [];
    for (const session of names) {
      const { container_id } = await execute(service, session, 'true');
      const { State } = await docker.getContainer(container_id).inspect();
      each.push(mebibytes(cgroupBytes(State.Pid)));
    }
    sizes.push(percentiles(each).p50);
  }
  const more = ` (${sizes[1].toFixed(2)} for ${sizes[0].toFixed(2)})`;
  scope.row(boundRow({ what: 'memory that a sandbox with a network takes more', value: sizes[1] - sizes[0], unit: 'MiB', goal: 1, more }));
}
