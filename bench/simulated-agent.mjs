/**
 * Does what an AI agent does in a session: commands, files and jobs, with pauses to think. The same
 * seed gives the same calls.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { callJson, deleteSession, execute, expectStatus, sessionPath, streamed } from './client.mjs';

const RAW = { 'Content-Type': 'application/octet-stream', Accept: 'application/octet-stream' };
/** An hour's pauses of some seconds, twelve times as fast. In milliseconds. */
const THINK_MS = { least: 100, most: 700 };
/** How many calls a task takes. Then the agent deletes the session and begins another. */
const CALLS_A_SESSION = { least: 30, most: 90 };
const FILE_BYTES = 200_000;

/** Each action with its frequency in percent. */
const ACTIONS = [
  [30, ({ service, session }) => execute(service, session, 'ls -la; grep -rn main . | head -5; true')],
  [8, ({ service, session }) => execute(service, session, 'python3 -c "print(sum(i * i for i in range(200000)))"')],
  [6, ({ service, session }) => execute(service, session, "head -c 300000 /dev/zero | tr '\\0' x")],
  [6, ({ service, session }) => streamed(service, session, 'for i in 1 2 3 4 5; do echo step; sleep 0.05; done')],
  [16, writeText],
  [4, writeBytes],
  [8, ({ service, session }) => callJson(200, service, 'GET', sessionPath(session, '/workspace?depth=3'))],
  [8, readText],
  [6, edit],
  [4, ({ service, session }) => callJson(200, service, 'GET', sessionPath(session, '/workspace/search?pattern=main'))],
  [4, job],
];

const file = (session, name) => sessionPath(session, `/workspace/content?path=${name}`);
const source = (turn) => `def main():\n    return ${turn}\n${'# a comment\n'.repeat(60)}`;

function writeText({ service, session, turn }) {
  return callJson(204, service, 'PUT', file(session, `src/f${turn % 12}.py`), { content: source(turn) });
}

function writeBytes({ service, session }) {
  return expectStatus(204, service, 'PUT', file(session, 'data.bin'), { body: Buffer.alloc(FILE_BYTES, 1), headers: RAW });
}

async function readText(agent) {
  await writeText(agent);
  await expectStatus(200, agent.service, 'GET', file(agent.session, `src/f${agent.turn % 12}.py`), { headers: RAW, keep: false });
}

async function edit(agent) {
  await writeText(agent);
  const edits = [{ old: 'def main():', new: 'def main(argv):' }];
  const path = `src/f${agent.turn % 12}.py`;
  await callJson(200, agent.service, 'POST', sessionPath(agent.session, '/workspace/edit'), { path, edits });
}

async function job({ service, session }) {
  const jobs = sessionPath(session, '/jobs');
  const { job_id: id } = await callJson(201, service, 'POST', jobs, {
    command: 'for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.1; done',
  });
  for (let offset = 0, eof = false; !eof;) {
    ({ next_offset: offset, eof } = await callJson(200, service, 'GET', `${jobs}/${id}/output?offset=${offset}&wait_seconds=2`));
  }
  await expectStatus(204, service, 'DELETE', `${jobs}/${id}`);
}

/**
 * Works through one session after the other until `until` (of performance.now()), and deletes the
 * last one.
 * @param tally { calls, sessions, failures: [messages] }, added to
 */
export async function simulateAgent(service, seed, until, tally) {
  const random = generator(seed);
  const between = ({ least, most }) => least + Math.floor(random() * (most - least));
  while (performance.now() < until) {
    const session = `agent-${randomUUID()}`;
    tally.sessions += 1;
    const calls = between(CALLS_A_SESSION);
    for (let turn = 0; turn < calls && performance.now() < until; turn++) {
      await attempt(tally, () => drawn(random)({ service, session, turn }));
      await sleep(between(THINK_MS));
    }
    await attempt(tally, () => deleteSession(service, session));
  }
}

async function attempt(tally, call) {
  tally.calls += 1;
  try {
    await call();
  } catch (error) {
    tally.failures.push(error.message.slice(0, 200));
  }
}

function drawn(random) {
  let left = random() * ACTIONS.reduce((sum, [weight]) => sum + weight, 0);
  return ACTIONS.find(([weight]) => (left -= weight) < 0)[1];
}

/**
 * Returns numbers from 0 to 1, the same for one seed (the linear congruential generator of
 * Numerical Recipes).
 */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
