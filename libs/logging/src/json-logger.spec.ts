import { Logger } from '@nestjs/common';
import { JsonLogger } from './json-logger';

describe('JsonLogger', () => {
  const written: string[] = [];
  const last = (): Record<string, unknown> => JSON.parse(written.at(-1)!) as Record<string, unknown>;
  const logger = new Logger('Part');

  beforeAll(() => Logger.overrideLogger(new JsonLogger({ DEBUG: false }, { write: (line) => void written.push(line) })));
  afterAll(() => Logger.overrideLogger(false));

  it('writes one line of JSON, with its context, when a text is logged', () => {
    logger.log('two\nlines');
    expect(written.at(-1)).toMatch(/^[^\n]+\n$/);
    expect(last()).toMatchObject({ level: 30, context: 'Part', msg: 'two\nlines', time: expect.any(Number) });
  });

  it('writes the members of an object, and a whole error, when they are logged', () => {
    logger.warn({ msg: 'failed', request_id: 'id', err: new Error('why', { cause: new Error('deeper') }) });
    expect(last()).toMatchObject({ level: 40, context: 'Part', msg: 'failed', request_id: 'id' });
    expect(JSON.stringify(last().err)).toMatch(/why.*deeper/);
  });

  it('leaves out what a library has added to an error when the error is logged', () => {
    const reply = Object.assign(new Error('OOM command not allowed'), {
      command: { name: 'evalsha', args: ['{"env":{"TOKEN":"s3cr3t"}}'] },
    });
    logger.warn({ msg: 'failed', err: reply });
    logger.warn({ msg: 'failed', err: new Error('outer', { cause: reply }) });
    logger.error(reply);
    expect(written.slice(-3).join()).not.toMatch(/s3cr3t|evalsha/);
    expect(last().err).toEqual({ type: 'Error', message: reply.message, stack: expect.stringContaining('OOM') });
  });

  it('writes the stack when Nest gives one beside a message', () => {
    logger.error('failed', 'Error: failed\n    at x');
    expect(last()).toMatchObject({ level: 50, context: 'Part', msg: 'failed', stack: 'Error: failed\n    at x' });
  });

  it('writes no half of a surrogate pair when a text holds one', () => {
    logger.log({ msg: 'a\ud800', path: '\udc00😀', err: new Error('\udfff'), literal: '\\ud800' });
    expect(written.at(-1)).not.toMatch(/[^\\]\\ud[89a-f]/);
    expect(last()).toMatchObject({ context: 'Part', msg: 'a\ufffd', path: '\ufffd😀', err: { message: '\ufffd' }, literal: '\\ud800' });
  });

  it('writes nothing when the level is too low', () => {
    const before = written.length;
    logger.debug('detail');
    new Logger('RouterExplorer').log('Mapped {/health, GET} route');
    expect(written).toHaveLength(before);
  });
});
