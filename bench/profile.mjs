// Prints where a CPU profile's time went: all of it, or its last seconds (the scenario, after start
// and warm-up). `node bench/profile.mjs FILE [seconds] [entries]`. `npm run bench -- --profile DIR`
// writes profiles.
import { readFileSync } from 'node:fs';

const [file, seconds = 'Infinity', entries = '25'] = process.argv.slice(2);
const { nodes, samples, timeDeltas, endTime, startTime } = JSON.parse(readFileSync(file, 'utf8'));
const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
const from = endTime - Number(seconds) * 1e6;
const self = new Map();
let [busy, at] = [0, startTime];
for (const [index, id] of samples.entries()) {
  at += timeDeltas[index];
  const { functionName, url, lineNumber } = byId.get(id);
  if (at < from || functionName === '(idle)' || functionName === '(root)') continue;
  const place = url === '' ? '' : ` ${url.replace(/^.*\/(dist|node_modules)\//, '')}:${lineNumber + 1}`;
  const name = `${functionName || '(anonymous)'}${place}`;
  self.set(name, (self.get(name) ?? 0) + timeDeltas[index]);
  busy += timeDeltas[index];
}
console.log(`${(busy / 1e6).toFixed(2)} s of CPU time; self time:`);
for (const [name, time] of [...self].sort((a, b) => b[1] - a[1]).slice(0, Number(entries))) {
  console.log(`${((100 * time) / busy).toFixed(1).padStart(5)} %  ${(time / 1000).toFixed(0).padStart(6)} ms  ${name}`);
}
