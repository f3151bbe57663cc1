import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countOfCheck, countOfJest, countOfNodeTests, countOfUnittest, sumOf } from './test-counts.mjs';

test('a check counts as one', () => {
  assert.deepEqual(countOfCheck(true), { passed: 1, failed: 0, skipped: 0 });
  assert.deepEqual(countOfCheck(false), { passed: 0, failed: 1, skipped: 0 });
});

test('unittest: failures, errors and skips are taken from the sum', () => {
  assert.deepEqual(countOfUnittest(true, 'Ran 12 tests in 1.2s\n\nOK'), { passed: 12, failed: 0, skipped: 0 });
  const output = 'Ran 12 tests in 1.2s\n\nFAILED (failures=1, errors=2, skipped=3)';
  assert.deepEqual(countOfUnittest(false, output), { passed: 6, failed: 3, skipped: 3 });
});

test('unittest: a run that never started is a failure', () => {
  assert.deepEqual(countOfUnittest(false, 'ImportError: no such directory'), { passed: 0, failed: 1, skipped: 0 });
});

test('node --test: its summary', () => {
  const output = '1..4\n# tests 4\n# pass 1\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 1\n';
  assert.deepEqual(countOfNodeTests(false, output), { passed: 1, failed: 1, skipped: 2 });
});

test('jest: a file that does not load is a failure, so is a jest that wrote no report', () => {
  const report = { numPassedTests: 5, numFailedTests: 1, numPendingTests: 1, numTodoTests: 1, numRuntimeErrorTestSuites: 2 };
  assert.deepEqual(countOfJest(false, report), { passed: 5, failed: 3, skipped: 2 });
  assert.deepEqual(countOfJest(false, undefined), { passed: 0, failed: 1, skipped: 0 });
});

test('jest: no test selected is neither', () => {
  assert.deepEqual(countOfJest(true, { numPassedTests: 0 }), { passed: 0, failed: 0, skipped: 0 });
});

test('the sum', () => {
  assert.deepEqual(sumOf([countOfCheck(true), countOfCheck(false), countOfCheck(true)]), { passed: 2, failed: 1, skipped: 0 });
});
