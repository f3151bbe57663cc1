// Runs pieces of programs with a version of the package `e2b`, in a process of its own: the package
// is an ES module, and reads E2B_* when it is loaded. Each message {text, parameters} is a function
// to call with the package, an object that stays for later calls, and the parameters.
import { runInThisContext } from 'node:vm';

const sdk = await import(process.argv[2]);
const kept = {};

process.on('message', async ({ id, text, parameters }) => {
  try {
    const value = await runInThisContext(`(${text})`)(sdk, kept, ...parameters);
    process.send({ id, value });
  } catch (error) {
    const { name, message, exitCode, stdout, stderr } = error;
    process.send({ id, error: { name: name ?? 'Error', type: error.constructor.name, message, exitCode, stdout, stderr } });
  }
});
process.send({ ready: true });
