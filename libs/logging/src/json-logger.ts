import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import { gatherLines } from './gathered-lines';

/** The contexts of Nest's own start-up. Its hundred lines only help a developer of this service. */
const NEST_CONTEXTS: readonly unknown[] = ['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication'];

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/**
 * Writes what Nest's loggers log, as one line of JSON each. Code that logs for a request adds
 * `request_id` itself. An AsyncLocalStorage could follow a request through its promises, but it
 * costs a third of the CPU time of a short call.
 */
export class JsonLogger implements LoggerService {
  private readonly lines: Logger;

  constructor({ DEBUG }: { DEBUG: boolean }, stream: DestinationStream = gatherLines(1)) {
    const wellFormed: DestinationStream = { write: (line) => stream.write(wellFormedLine(line)) };
    this.lines = pino({ level: DEBUG ? 'debug' : 'info', serializers: { err: plainError } }, wellFormed);
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write(NEST_CONTEXTS.includes(rest.at(-1)) ? 'debug' : 'info', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  /** @param rest ends with the logger's context. Nest's own error lines have a stack before it. */
  private write(level: Level, message: unknown, rest: unknown[]): void {
    const stack = rest.length > 1 ? rest[0] : undefined;
    this.lines[level]({ context: rest.at(-1), ...fields(message), ...(stack === undefined ? {} : { stack }) });
  }
}

/**
 * Keeps the type, message, stack and code of an error and of its causes. Everything else that a
 * library adds is dropped. For example, ioredis adds the whole command, whose arguments may hold a
 * session's variables.
 */
function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { type, message, stack, code } = stdSerializers.err(error);
  return { type, message, stack, ...(typeof code === 'string' ? { code } : {}) };
}

/**
 * Makes every text of a line valid Unicode. JSON writes half of a surrogate pair as an escape, and
 * many readers of logs fail on it. No code should log one, so this is for oversights.
 */
function wellFormedLine(line: string): string {
  if (!/\\ud[89a-f]/.test(line)) return line;
  const text = JSON.stringify(JSON.parse(line), (_name, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value));
  return `${text}\n`;
}

function fields(message: unknown): object {
  if (message instanceof Error) return { err: message, msg: message.message };
  return typeof message === 'object' && message !== null ? message : { msg: String(message) };
}
