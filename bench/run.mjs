// Measures the figures of docs/bench.md: `npm run bench -- [options] [scenario…]`. Needs a Docker
// engine, redis-server, the sandbox image and the built service. `npm test` sets all of them up.
import { parseArgs } from 'node:util';
import { atExit, cleanUp, cleanUpWhateverHappens, isEnding } from './cleanup.mjs';
import { describeMachine, removeFloors } from './engine.mjs';
import { channelText, cpuText, writeReport } from './report.mjs';
import { Bench } from './scenario-run.mjs';
import * as agentDay from './scenarios/agent-day.mjs';
import * as archives from './scenarios/archives.mjs';
import * as burst from './scenarios/burst.mjs';
import * as channel from './scenarios/channel.mjs';
import * as density from './scenarios/density.mjs';
import * as denseThousand from './scenarios/density-1000.mjs';
import * as fairness from './scenarios/fairness.mjs';
import * as files from './scenarios/files.mjs';
import * as firstCommand from './scenarios/first-command.mjs';
import * as gvisor from './scenarios/gvisor.mjs';
import * as install from './scenarios/install.mjs';
import * as kubernetes from './scenarios/kubernetes.mjs';
import * as kubernetesChannels from './scenarios/kubernetes-channels.mjs';
import * as listing from './scenarios/listing.mjs';
import * as mcp from './scenarios/mcp.mjs';
import * as network from './scenarios/network.mjs';
import * as output from './scenarios/output.mjs';
import * as sessions from './scenarios/sessions.mjs';
import * as stalledReaders from './scenarios/stalled-readers.mjs';
import * as warm from './scenarios/warm.mjs';

const SCENARIOS = [
  warm,
  mcp,
  channel,
  firstCommand,
  burst,
  sessions,
  files,
  archives,
  install,
  listing,
  output,
  network,
  fairness,
  stalledReaders,
  density,
  denseThousand,
  agentDay,
  gvisor,
  kubernetes,
  kubernetesChannels,
];
/** Scenarios on a cluster. They run only if asked for, since they need root on Debian. */
const ON_CLUSTER = [kubernetes.name, kubernetesChannels.name];
/** Scenarios that take minutes. They run only if asked for. */
const LONG = { density: denseThousand.name, day: agentDay.name };
/** A scenario that has no shorter form. A quick run leaves it out, unless it is asked for. */
const NEVER_QUICK = install.name;

const USAGE = `npm run bench -- [--quick] [--density] [--day] [--write] [--profile DIR] [SCENARIO…]

  --quick        fewer rounds, and no install: three minutes; writes no file
  --density      also with 500 and 1,000 sessions (ten minutes)
  --day          also a day of agents, compressed into five minutes
  --write        writes docs/bench.* also from a quick run, or from the named scenarios alone (the others' results stay as they are)
  --profile DIR  each API process leaves a CPU profile there: node bench/profile.mjs FILE [SECONDS]

Scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}
${ON_CLUSTER.join(' and ')} set up a cluster of this machine, as root on Debian. They run only if they are named.`;

const { values: options, positionals } = readArguments();
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const names = new Set(SCENARIOS.map(({ name }) => name));
for (const name of positionals) if (!names.has(name)) fail(`There is no scenario ${name}.\n\n${USAGE}`);
const asked = new Set([...positionals, ...Object.keys(LONG).flatMap((option) => (options[option] ? [LONG[option]] : []))]);
const long = new Set([...Object.values(LONG), ...ON_CLUSTER, ...(options.quick ? [NEVER_QUICK] : [])]);
const selected = SCENARIOS.filter(({ name }) => asked.has(name) || (positionals.length === 0 && !long.has(name)));

cleanUpWhateverHappens();
atExit(removeFloors);
let failures = 0;
try {
  const bench = new Bench({ quick: options.quick, profileDir: options.profile, machine: await describeMachine() });
  console.log(bench.machine);
  const results = [];
  for (const scenario of selected) {
    if (isEnding()) break;
    console.log(`\n${scenario.title}`);
    try {
      const result = await bench.run(scenario);
      results.push(result);
      console.log(`     ${cpuText(result.cpu)}; ${result.cpu.wall.toFixed(0)} s${channelText(result.channels)}`);
    } catch (error) {
      if (isEnding()) break;
      failures += 1;
      console.error(`FAILED ${scenario.name}: ${error.stack}`);
    }
  }
  const whole = positionals.length === 0 && !options.quick;
  if (!isEnding() && (options.write || whole))
    writeReport(
      results,
      SCENARIOS.map(({ name }) => name),
    );
} finally {
  await cleanUp();
}
process.exit(process.exitCode ?? (failures === 0 ? 0 : 1));

function readArguments() {
  const flag = { type: 'boolean', default: false };
  try {
    return parseArgs({
      allowPositionals: true,
      options: { help: flag, quick: flag, density: flag, day: flag, write: flag, profile: { type: 'string' } },
    });
  } catch (error) {
    return fail(`${error.message}\n\n${USAGE}`);
  }
}

function fail(message) {
  console.error(message);
  process.exit(2);
}
