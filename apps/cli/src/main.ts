#!/usr/bin/env node
import { runProgram } from './program';

// Whoever read the output may go, as `| head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

// oxlint-disable-next-line node/no-process-env
void runProgram(process.argv.slice(2), process.env, process.cwd()).then((exitCode) => {
  process.exitCode = exitCode;
});
