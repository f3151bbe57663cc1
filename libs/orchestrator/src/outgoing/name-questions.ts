import { setTimeout as sleep } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import { drained } from '../bytes/drained';
import { linesOf } from '../bytes/lines-of';
import { findJsonObject } from '../channel/agent-answer';
import { StreamError } from '../channel/stream-error';
import { Pace } from './pace';

const MAX_LINE_BYTES = 512;
/** The agent asks no more names at a time (agent/PROTOCOL.md, "resolver"). */
const MAX_AT_ONCE = 64;
const QUESTIONS_PER_SECOND = 200;
const PAUSE_MS = 20;
/** Answers that the agent does not take. Past it the host reads no question. */
const MAX_UNSENT_BYTES = 64 * 1024;

/** What the agent tells the program that has asked for a name. */
export type NameAnswer = { readonly ports: readonly number[] } | { readonly refused: true } | { readonly failed: true };

/**
 * Answers the questions that come on a stream of the kind `resolver`: a line of JSON each. More of
 * them than the host takes wait in the sandbox.
 *
 * Resolves when the agent has ended the stream. Rejects if the stream breaks off, or if a line is
 * none that an agent sends.
 */
export async function answerNames(stream: Duplex, answer: (name: string) => Promise<NameAnswer>): Promise<void> {
  const pace = new Pace(QUESTIONS_PER_SECOND, QUESTIONS_PER_SECOND);
  const asked = new Set<string>();
  const reply = async (name: string): Promise<void> => {
    const said = await answer(name).catch((): NameAnswer => ({ failed: true }));
    asked.delete(name);
    if (!stream.destroyed) stream.write(`${JSON.stringify({ name, ...said })}\n`);
  };
  for await (const line of linesOf(stream, MAX_LINE_BYTES, unsound)) {
    const name = findJsonObject(line)?.name;
    if (typeof name !== 'string' || asked.has(name) || asked.size >= MAX_AT_ONCE) throw unsound();
    while (!pace.take()) await sleep(PAUSE_MS);
    asked.add(name);
    void reply(name);
    if (stream.writableLength > MAX_UNSENT_BYTES) await drained(stream);
  }
}

function unsound(): StreamError {
  return new StreamError('STREAM_REFUSED', 'The question is none that an agent asks.');
}
