import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundRatios, spreadOf } from './spread.mjs';

test('compares a round with the same round of the floor', () => {
  assert.deepEqual(roundRatios([2, 9], [4, 3]), [0.5, 3]);
});

test('refuses sides with different numbers of rounds', () => {
  assert.throws(() => roundRatios([1, 2], [1]), /2 rounds against 1/);
});

test('takes the least and the greatest when there are fewer than eight rounds', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { low: 1, high: 3, rounds: 3, middleHalf: false });
  assert.deepEqual(spreadOf([7, 6, 5, 10, 3, 2, 1]), { low: 1, high: 10, rounds: 7, middleHalf: false });
});

test('takes the middle half when there are eight rounds or more', () => {
  assert.deepEqual(spreadOf([8, 7, 6, 5, 4, 3, 2, 1]), { low: 3, high: 6, rounds: 8, middleHalf: true });
  const twenty = Array.from({ length: 20 }, (_, index) => index + 1);
  assert.deepEqual(spreadOf(twenty), { low: 6, high: 15, rounds: 20, middleHalf: true });
});

test('has no spread when there is one round', () => {
  assert.equal(spreadOf([1]), null);
  assert.equal(spreadOf([]), null);
});
