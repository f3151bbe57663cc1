/**
 * Shifts the wall clock of an API process that preloads this file (node --require). `Date` is off
 * by as many milliseconds as the file CHAOS_CLOCK says at the time. Timers and `performance` run
 * on, as they do when an operator or NTP sets a machine's clock.
 */
const { readFileSync } = require('node:fs');

const LOOK_EVERY_MS = 20;
const realNow = Date.now;
let offset = 0;

setInterval(() => {
  try {
    offset = Number(readFileSync(process.env.CHAOS_CLOCK, 'utf8'));
  } catch {
    offset = 0;
  }
}, LOOK_EVERY_MS).unref();

Date.now = () => realNow() + offset;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [target.now()] : args, newTarget),
  apply: (target) => new target(target.now()).toString(),
});
