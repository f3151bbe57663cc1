const { basename } = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

/** The files that take minutes. If one of them began last, it would run on alone. */
const LONGEST = [
  'compose',
  'sessions',
  'faults',
  'workspace-calls',
  'start',
  'mcp-conformance',
  'expiry',
  'archive',
  'engine-faults',
  'terminal',
  'jobs',
];

const place = ({ path }) => {
  const index = LONGEST.indexOf(basename(path, '.spec.ts'));
  return index === -1 ? LONGEST.length : index;
};

/**
 * Sorts the files for a machine that has never run these tests, such as CI. There, jest only knows
 * their size.
 */
module.exports = class extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((one, other) => place(one) - place(other));
  }
};
