import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rateRow, timeRow } from './figures.mjs';
import { ratesOf, timesOf } from './measure.mjs';

const times = (ours, floor, more = {}) =>
  timeRow({ what: 'a call', ours: timesOf(ours), floor: timesOf(floor), floorName: 'exec', ...more });

test('compares the medians of all times, and those of each round', () => {
  const { ratio, rounds, values } = times([[2, 2, 9], [4]], [[40], [40, 40, 41]]);
  assert.equal(ratio, '1/20');
  assert.equal(rounds, '1/10 to 1/20 (all 2)');
  assert.deepEqual(values.spread, { low: 0.05, high: 0.1, rounds: 2, middleHalf: false });
  assert.deepEqual(values.ours, { p50: 2, p95: 9, p99: 9, count: 4 });
});

test('compares the percentile that a row names', () => {
  const { ratio, rounds } = times(
    [
      [1, 6],
      [1, 8],
    ],
    [
      [4, 2],
      [2, 1],
    ],
    { by: 'p95' },
  );
  assert.equal(ratio, '2 times');
  assert.equal(rounds, '1.50 to 4 times (all 2)');
});

test('writes a share and a multiple in one spread', () => {
  assert.equal(times([[1], [3]], [[4], [4]]).rounds, '1/4 to 0.75 times (all 2)');
});

test('says when there was only one round', () => {
  assert.equal(times([[1, 2]], [[4]]).rounds, 'only one');
});

test('says when the spread is that of the middle half', () => {
  const ours = [1, 2, 3, 4, 5, 6, 7, 8].map((time) => [time]);
  assert.equal(
    times(
      ours,
      ours.map(() => [1]),
    ).rounds,
    '3 to 6 times (middle half of 8)',
  );
});

test('meets a goal for times when the ratio is at most the goal', () => {
  const goal = 1 / 20;
  assert.deepEqual([times([[2]], [[40]], { goal }).met, times([[2.1]], [[40]], { goal }).met], [true, false]);
  assert.equal(times([[2]], [[40]], { goal }).goal, 'p50 ≤ 1/20');
});

test('compares the median rates, and those of each round; meets a goal when the ratio is at least the goal', () => {
  const row = (goal) =>
    rateRow({ what: 'bytes', ours: ratesOf([9, 30, 20]), floor: ratesOf([10, 10, 20]), floorName: 'exec', unit: '/s', goal });
  const { ratio, rounds, figure, floor } = row(2);
  assert.deepEqual([ratio, rounds, figure, floor], ['2 times', '0.90 to 3 times (all 3)', '20 /s', 'exec 10 /s']);
  assert.deepEqual([row(2).met, row(2.5).met], [true, false]);
  assert.equal(row(1.5).goal, '≥ 1.50 times');
});
