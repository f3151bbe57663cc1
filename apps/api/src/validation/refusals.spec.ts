import type { Type } from '@nestjs/common';
import { SandboxError } from '@sandbox/errors';
import { ExecuteDto } from '../execute/execute.dto';
import { ExecuteToolArgs } from '../mcp/tools/execute-tool.dto';
import { EditDto } from '../workspace/dto/edit.dto';
import { validateDto } from './validate-dto';

const COMMAND = { session_id: 's', command: 'true' };

function refusal(dto: Type<object>, value: object): string {
  try {
    validateDto(dto, value);
  } catch (error) {
    return (error as SandboxError).message.replace('The request does not fit its schema: ', '');
  }
  throw new Error('it is taken');
}

describe('a refusal', () => {
  it.each<[string, Type<object>, object, string]>([
    ['a number over its maximum', EditDto, { path: 'f', edits: [] }, 'edits must be a list of 1 to 100 edits.'],
    ['a text for a number', ExecuteDto, { ...COMMAND, timeout: 'soon' }, 'timeout must be a number, not "soon".'],
    ['a number under its minimum', ExecuteDto, { ...COMMAND, timeout: 0.5 }, 'timeout must be at least 1, not 0.5.'],
    ['null', ExecuteDto, { ...COMMAND, timeout: null }, 'timeout must be a number, not null.'],
    ['a word that is none of the words', ExecuteDto, { ...COMMAND, encoding: 'latin1' }, 'encoding must be utf8 or base64, not "latin1".'],
    ['a truth value as text', ExecuteToolArgs, { ...COMMAND, background: 'yes' }, 'background must be true or false, not "yes".'],
    ['a list for a text', ExecuteDto, { ...COMMAND, command: ['ls'] }, 'command must be a string, not a list.'],
    ['an empty text', ExecuteDto, { ...COMMAND, command: '' }, 'command must have 1 to 32000 characters, not 0.'],
    ['a missing field', ExecuteDto, { command: 'true' }, 'session_id is missing; it must be a string.'],
    ['too many bytes', ExecuteDto, { ...COMMAND, stdin: 'x'.repeat(1048577) }, 'stdin must have at most 1048576 bytes, not 1048577.'],
  ])('says what came and what is allowed when it is for %s', (_what, dto, value, text) => {
    expect(refusal(dto, value)).toBe(text);
  });

  it('says what to do when a command is too long', () => {
    const text = refusal(ExecuteDto, { ...COMMAND, command: 'x'.repeat(32_001) });
    expect(text).toMatch(/^command must have 1 to 32000 characters, not 32001: /);
    expect(text).toContain('workspace_write');
    expect(text).toContain('stdin');
  });

  it.each([
    [{ env: { TOKEN: 'hunter2\0' } }],
    [{ env: 'TOKEN=hunter2' }],
    [{ stdin: ['hunter2'] }],
    [{ command: 'hunter2\0' }],
    [{ working_dir: 'hunter2\0' }],
    [{ hunter: 'hunter2' }],
  ])('shows no value when it may be a secret: %j', (fields) => {
    expect(refusal(ExecuteDto, { ...COMMAND, ...fields })).not.toContain('hunter2');
  });

  it.each([
    ['cwd', 'working_dir'],
    ['workingDir', 'working_dir'],
    ['path', 'working_dir'],
    ['cmd', 'command'],
    ['environment', 'env'],
    ['input', 'stdin'],
    ['sessionId', 'session_id'],
    ['run_in_background', 'background'],
    ['timeout_ms', 'timeout'],
  ])('names the right field when the unknown one is %s', (name, right) => {
    expect(refusal(ExecuteToolArgs, { ...COMMAND, [name]: 'x' })).toBe(`${name} is not a known field; use ${right}.`);
  });

  it('names the right field when an edit has an unknown one', () => {
    const edits = [{ old_string: 'a', new_string: 'b' }];
    expect(refusal(EditDto, { path: 'f', edits })).toBe('edits[0].old_string is not a known field; use old.');
  });

  it('names the known fields when an unknown field is like none of them', () => {
    expect(refusal(EditDto, { path: 'f', edits: [{ old: 'a', new: 'b' }], verbose: true })).toMatch(
      /^verbose is not a known field; known are .*edits, .*path/,
    );
  });
});
