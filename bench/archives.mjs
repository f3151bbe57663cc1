// Ten thousand small files in and out of a sandbox as one tar, against tar(1) by `docker exec` with the same bytes.
import { randomBytes } from 'node:crypto';
import { execute, plainExec, request } from './environment.mjs';
import { percentiles, timed } from './measure.mjs';

const ROUNDS = 8;
const TAR = { 'Content-Type': 'application/x-tar' };
const url = (path) => `/sessions/archives/workspace/archive?path=${path}`;

/** A hundred directories of a hundred files of 200 bytes, as tar(1) makes it of them. */
async function tarOfManyFiles(service, containerId) {
  const content = randomBytes(200).toString('hex').slice(0, 200);
  const script = `mkdir made && cd made && for d in $(seq 100); do mkdir d$d; for f in $(seq 100); do echo ${content} > d$d/f$f; done; done`;
  await execute(service, 'archives', script, { timeout: 120 });
  const out = await plainExec(containerId, ['tar', '-cf', '-', '-C', '/workspace/made', '.']);
  return withoutMultiplexing(out);
}

/** The engine puts eight bytes before each piece of output: stream and length. */
function withoutMultiplexing(bytes) {
  const pieces = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at + 4);
    pieces.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(pieces);
}

export async function archives(service, row) {
  const { container_id } = await execute(service, 'archives', 'true');
  const bytes = await tarOfManyFiles(service, container_id);
  const ours = { in: [], out: [] };
  const theirs = { in: [], out: [] };
  const emptied = () => execute(service, 'archives', 'rm -rf ours theirs; mkdir theirs', { timeout: 60 });
  const put = async () => {
    const { status, body } = await request(service, 'PUT', url('ours'), bytes, TAR);
    if (status !== 200 || JSON.parse(body).entries < 10_000) throw new Error(`PUT: ${status} ${body}`);
  };
  const get = async () => {
    const { status, body } = await request(service, 'GET', url('made'));
    if (status !== 200 || body.length < 10_000 * 1024) throw new Error(`GET: ${status}`);
  };
  const tarIn = () => plainExec(container_id, ['tar', '-xf', '-', '-C', '/workspace/theirs'], bytes);
  const tarOut = async () => {
    const out = await plainExec(container_id, ['tar', '-cf', '-', '-C', '/workspace/made', '.']);
    if (out.length < 10_000 * 1024) throw new Error(`tar: ${out.length}`);
  };
  for (let round = -1; round < ROUNDS; round++) {
    await emptied();
    const times = { in: [await timed(put), await timed(tarIn)], out: [await timed(get), await timed(tarOut)] };
    if (round < 0) continue;
    for (const way of ['in', 'out']) {
      ours[way].push(times[way][0]);
      theirs[way].push(times[way][1]);
    }
  }
  await emptied();
  for (const way of ['in', 'out']) {
    const [our, floor] = [percentiles(ours[way]), percentiles(theirs[way])];
    const ratio = floor.p50 / our.p50;
    const figures = ({ p50, p95 }) => `p50 ${p50.toFixed(0)}, p95 ${p95.toFixed(0)} ms`;
    row(
      `tar of 10,000 files ${way}`,
      figures(our),
      `docker exec tar ${figures(floor)}`,
      `${ratio.toFixed(2)} times as fast`,
      '≥ 1',
      ratio >= 1,
    );
  }
}
