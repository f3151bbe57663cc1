import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Sandbox } from '@sandbox/client';
import { printLine } from '../printing';
import { type Environment, keepSettings } from '../settings';
import { UsageError } from '../usage-error';

/**
 * Keeps the URL and the key of a server, if the server takes the key. The key is typed unseen, or
 * comes from a pipe. It is no argument, since other users of the machine can read those.
 */
export async function login(url: string, env: Environment): Promise<void> {
  const apiKey = process.stdin.isTTY ? await ask(`API key for ${url}: `) : await piped();
  if (apiKey === '') throw new UsageError('There was no key. Type it, or pipe it in.');
  await Sandbox.list({ url, apiKey });
  await printLine(`Kept in ${keepSettings({ url: url.replace(/\/+$/, ''), apiKey }, env)}.`);
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: unseen, terminal: true });
  try {
    return (await lines.question('')).trim();
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

async function piped(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return text.trim();
}
