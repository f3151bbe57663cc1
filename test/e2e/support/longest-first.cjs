const { basename } = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

/** Those that take minutes: one of them that began last would run on alone. */
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

/** The order of a machine that has never run these tests, as CI is: jest itself knows of their size alone. */
module.exports = class extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((one, other) => place(one) - place(other));
  }
};
