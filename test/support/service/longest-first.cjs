const { basename } = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

/** The files that take minutes. If one of them began last, it would run on alone. */
const LONGEST = [
  'tools',
  'guides',
  'workspace-calls',
  'faults',
  'compose',
  'sessions',
  'archive',
  'expiry',
  'workspace',
  'jobs',
  'restart',
  'pool',
  'chaos',
  'execute',
  'session-options',
  'terminal',
  'engine-faults',
  'start',
  'packages',
  'mcp-conformance',
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
