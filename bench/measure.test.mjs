import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interleaved, timesOf } from './measure.mjs';

test('summarises all times, and those of each round', () => {
  const { p50, count, rounds } = timesOf([[3, 1, 2], [10]]);
  assert.deepEqual([p50, count], [2, 4]);
  assert.deepEqual(
    rounds.map((round) => round.p50),
    [2, 10],
  );
});

test('measures the sides in turns, after a call of each that does not count', async () => {
  const calls = [];
  const side = (letter) => ({ perRound: 2, call: (index) => calls.push(`${letter}${index}`) });
  const [ours, floor] = await interleaved(2, side('a'), side('b'), 'returned');
  assert.deepEqual(calls, ['a0', 'b0', 'a1', 'a2', 'b1', 'b2', 'a3', 'a4', 'b3', 'b4']);
  assert.deepEqual(
    ours.rounds.map(({ count }) => count),
    [2, 2],
  );
  assert.deepEqual([ours.count, floor.count], [4, 4]);
});

test('takes the times of a whole round from a side that measures its rounds itself', async () => {
  const given = [[99], [1, 2, 3], [4]];
  const [ours, floor] = await interleaved(2, { round: () => given.shift() }, { perRound: 1, call: () => undefined });
  assert.deepEqual([ours.count, ours.p99], [4, 4]);
  assert.deepEqual(
    ours.rounds.map((round) => round.p50),
    [2, 4],
  );
  assert.equal(floor.count, 2);
});
