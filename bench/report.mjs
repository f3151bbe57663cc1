/**
 * Writes the results to files. docs/bench.json holds them; docs/bench.md and docs/bench/*.svg are
 * drawn from it.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { barChart, lineChart } from './plot.mjs';

const JSON_FILE = 'docs/bench.json';
const MARKDOWN_FILE = 'docs/bench.md';
const PLOTS = 'docs/bench';

/** Replaces the earlier results of these scenarios. `order` is the order of the document. */
export function writeReport(results, order) {
  const known = existsSync(JSON_FILE) ? JSON.parse(readFileSync(JSON_FILE, 'utf8')) : { scenarios: [] };
  const fresh = new Set(results.map(({ name }) => name));
  const kept = known.scenarios.filter(({ name }) => !fresh.has(name) && order.includes(name));
  const scenarios = [...kept, ...results].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  writeFileSync(JSON_FILE, `${JSON.stringify({ scenarios }, null, 1)}\n`);
  rmSync(PLOTS, { recursive: true, force: true });
  mkdirSync(PLOTS);
  for (const { file, ...chart } of scenarios.flatMap(({ charts }) => charts)) writeFileSync(`${PLOTS}/${file}`, draw(chart));
  writeFileSync(MARKDOWN_FILE, markdown(scenarios));
}

function draw({ kind, ...chart }) {
  return kind === 'lines' ? lineChart(chart) : barChart(chart);
}

function markdown(scenarios) {
  const goals = scenarios.flatMap(({ rows }) => rows).filter(({ goal }) => goal !== null);
  const met = goals.filter((row) => row.met).length;
  const machines = [...new Set(scenarios.map(({ machine }) => machine))];
  return `# Bench

\`npm run bench\` writes this page. It runs the built service with authentication, rate limiting and Redis, unless a row names another store. The limits are the defaults. Only the rate limit and the number
of sessions are raised, and others where the work would not fit. The service keeps no pool, unless the part is about pools. A *direct* channel is a socket into the sandbox; an *exec* channel is the engine's stream.

Most figures have a floor: the least work that does the same, mostly a plain \`docker exec\` by dockerode. It is measured in the same run, in rounds, in turns with ours. Read the ratios; the times are this machine's.
The client shares the machine's cores with the service, the engine and the sandboxes. Each part says how much of the CPU time was whose.

The column *rounds* says how far the rounds agree, because each round alone has a ratio too. From eight rounds on, it shows their middle half: a quarter of the rounds lies below it, and a quarter above. Of fewer rounds
it shows the least and the greatest. A second run on a quiet machine should give a ratio within it, and so should this one: else something disturbed it. If the service is compared with itself at an earlier time, or with fewer sessions, the two are not measured in turns.

Machine: ${machines.join('; ')}

Of ${goals.length} goals ${met} are met.

${scenarios.map(section).join('\n')}`;
}

function section({ name, title, date, quick, rows, notes, charts, channels, cpu }) {
  const table =
    rows.length === 0
      ? []
      : [
          '| what | figure | floor in the same run | ratio | rounds | goal | met |',
          '|---|---|---|---|---|---|---|',
          ...rows.map(
            (row) =>
              `| ${row.what} | ${row.figure} | ${row.floor} | ${row.ratio} | ${row.rounds ?? ''} | ${row.goal ?? ''} | ${row.met === null ? '' : row.met ? 'yes' : 'no'} |`,
          ),
          '',
        ];
  return [
    `## ${title}`,
    '',
    ...table,
    ...notes.map((note) => `- ${note}`),
    `- \`npm run bench -- ${name}\`, ${date}${quick ? ', quick' : ''}${channelText(channels)}. CPU time: ${cpuText(cpu)}.`,
    '',
    ...charts.flatMap(({ file, title: about }) => [`![${about}](bench/${file})`, '']),
  ].join('\n');
}

/** Names the way to the sandboxes, as /ready does. */
export const channelText = (channels = []) => (channels.length === 0 ? '' : `, ${channels.join(' and ')} channel`);

/**
 * Says who used the CPU time. "The rest" is the engine, Redis, commands in sandboxes and floors,
 * and whatever else the machine does.
 */
export function cpuText({ client, api, all, wall, cores, others }) {
  if (all === 0) return 'none';
  const percent = (seconds) => `${Math.round((100 * seconds) / all)} %`;
  return `client ${percent(client)}, API ${percent(api)}, the rest ${percent(Math.max(0, all - client - api))}; the machine was ${Math.round((100 * all) / (wall * cores))} % busy, and ${Math.round(100 * others)} % right before, with other things`;
}
