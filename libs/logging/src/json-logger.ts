import type { LoggerService } from '@nestjs/common';
import { destination, type DestinationStream, type Logger, pino, stdSerializers } from 'pino';

/** What Nest says of its own start: a hundred lines, of use to somebody who develops this service alone. */
const NEST_CONTEXTS: readonly unknown[] = ['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication'];

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/**
 * What Nest's loggers write to: one line of JSON each. Lines of a request say so themselves, by `request_id`. Nothing follows a request
 * through its promises to add that to them: an AsyncLocalStorage that does costs a third of the CPU time of a short call.
 */
export class JsonLogger implements LoggerService {
  private readonly lines: Logger;

  constructor({ DEBUG }: { DEBUG: boolean }, stream: DestinationStream = destination(1)) {
    this.lines = pino({ level: DEBUG ? 'debug' : 'info', serializers: { err: plainError } }, stream);
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

  /** @param rest the logger's context comes last; Nest's own error lines have a stack before it */
  private write(level: Level, message: unknown, rest: unknown[]): void {
    const stack = rest.length > 1 ? rest[0] : undefined;
    this.lines[level]({ context: rest.at(-1), ...fields(message), ...(stack === undefined ? {} : { stack }) });
  }
}

/**
 * What an error is and where it came from, those that caused it included, and nothing else that a library has hung on it: ioredis puts the
 * whole command there, with a session's variables among its arguments.
 */
function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { type, message, stack, code } = stdSerializers.err(error);
  return { type, message, stack, ...(typeof code === 'string' ? { code } : {}) };
}

function fields(message: unknown): object {
  if (message instanceof Error) return { err: message, msg: message.message };
  return typeof message === 'object' && message !== null ? message : { msg: String(message) };
}
