import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ErrorCode } from '@sandbox/errors';
import { AGENT_CODES } from './agent-answer';
import { agentBundle } from './agent-source';
import type { AgentRequest } from './channel';
import { AgentFrame, HostFrame, MAX_AGENT_PAYLOAD_BYTES, MAX_HOST_PAYLOAD_BYTES, WINDOW_BYTES } from './frames';

/** Tests that agent/PROTOCOL.md, AgentRequest and agent/operations.py agree. */

const PROTOCOL = readFileSync(join(__dirname, '../../../../agent/PROTOCOL.md'), 'utf8');

/** The agent's modules by name, as a sandbox gets them. */
const MODULES = JSON.parse(/^MODULES = (.*)$/m.exec(agentBundle(null).join(''))![1]!) as Record<string, string>;
const SOURCES = Object.values(MODULES).join('\n');

type Requests<Op, Request = AgentRequest> = Request extends { op: infer Ops } ? (Op extends Ops ? Request : never) : never;
type Fields<Request> = { [Name in Exclude<keyof Request, 'op'>]-?: undefined extends Request[Name] ? '?' : '' };

const PATH = { path: '', path_base64: '?' } as const;
const CONDITIONS = { if_match: '?', if_none_match: '?' } as const;
const SHELL = { command: '', shell: '', cwd: '', env: '', timeout_ms: '', max_output: '', stdin: '' } as const;

/** Each operation with its fields, `?` for an optional one. tsc holds it to AgentRequest. */
const REQUESTS: { [Op in AgentRequest['op']]: Fields<Requests<Op>> } = {
  exec: SHELL,
  own_programs: { names: '', search_path: '?' },
  usage: {},
  mark_claimed: {},
  provide_files: { files: '', trust: '' },
  job_start: { ...SHELL, job_id: '', open_stdin: '', terminal: '?' },
  job_list: {},
  job_stat: { job_id: '' },
  job_output: { job_id: '', offsets: '', limit: '', wait_ms: '' },
  job_stream: { job_id: '', stream: '', offset: '', limit: '', follow_ms: '' },
  job_stdin: { job_id: '', eof: '' },
  job_signal: { job_id: '', signal: '' },
  job_resize: { job_id: '', columns: '', rows: '' },
  job_delete: { job_id: '' },
  list_ports: {},
  list: { ...PATH, depth: '?', limit: '?' },
  read: { ...PATH, offset: '', length: '', max_length: '', if_range: '?', lines: '?', excerpt: '?' },
  write: { ...PATH, max_size: '', mode: '?', ...CONDITIONS },
  delete: { ...PATH, ...CONDITIONS },
  stat: { ...PATH },
  move: { from: '', from_base64: '?', to: '', to_base64: '?', overwrite: '', ...CONDITIONS },
  mkdir: { ...PATH },
  search: { ...PATH, glob: '', glob_of: '', pattern: '', limit: '', timeout_ms: '' },
  edit: { ...PATH, max_size: '', ...CONDITIONS },
  pack: { ...PATH, max_size: '', max_entries: '' },
  unpack: { ...PATH, max_size: '', max_entries: '' },
};

/** @returns the cells of each row of the table that has these headings */
function table(...headings: string[]): string[][] {
  const [, rows] = PROTOCOL.split(`| ${headings.join(' | ')} |\n`);
  const lines = rows!.slice(0, rows!.indexOf('\n\n')).split('\n').slice(1);
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** @returns the fields that a cell of the table names, without brackets and what follows a colon */
function fieldsIn(cell: string): Record<string, string> {
  let text = cell.replace(/[`]|\{[^{}]*\}/g, '');
  while (text !== (text = text.replace(/\([^()]*\)/g, '')));
  const names = text.split(',').map((part) => part.split(':')[0]!.trim());
  return Object.fromEntries(
    names.flatMap((name) => {
      if (name === '') return [];
      if (name === 'conditions') return Object.entries(CONDITIONS);
      // The text above the table says it once for all.
      if (['path', 'from', 'to'].includes(name))
        return [
          [name, ''],
          [`${name}_base64`, '?'],
        ];
      return [[name.replace('?', ''), name.endsWith('?') ? '?' : '']];
    }),
  );
}

/** Runs a Python program that can import the agent's modules. @returns what it prints, as JSON */
function askAgent(program: string): unknown {
  const script = `
import json, sys
from importlib.machinery import ModuleSpec
MODULES = json.load(sys.stdin)
class Importer:
    packages = {name.rpartition(".")[0] for name in MODULES}
    find_spec = staticmethod(lambda name, path=None, target=None:
        ModuleSpec(name, Importer, is_package=name in Importer.packages) if name in MODULES else None)
    create_module = staticmethod(lambda spec: None)
    exec_module = staticmethod(lambda module: exec(MODULES[module.__name__], module.__dict__))
sys.meta_path.insert(0, Importer)
${program}`;
  const { stdout, stderr } = spawnSync('python3', ['-I', '-S', '-c', script], { input: JSON.stringify(MODULES), encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describe('agent/PROTOCOL.md', () => {
  /** @returns the codes of the sentence that begins so */
  const codesAfter = (beginning: string) =>
    PROTOCOL.split(beginning)[1]!
      .split(/\.\s/, 1)[0]!
      .match(/\b[A-Z]+(?:_[A-Z]+)+\b/g)!
      .sort();
  const codes = codesAfter('Error codes of END are those of libs/errors: ');
  const streamCodes = codesAfter("Further error codes of the agent's STREAM_RESET: ");
  const operations = table('op', 'REQUEST fields', 'DATA', 'OUT', 'END ok');

  it('has the operations, and their fields, that the host asks for', () => {
    expect(Object.fromEntries(operations.map(([op, fields]) => [op, fieldsIn(fields!)]))).toEqual(REQUESTS);
  });

  it('has the operations that the agent offers, each with a handler', () => {
    const handlers = askAgent(`
import operations
def parameters(handler):
    code = handler.__code__
    return [*code.co_varnames[: code.co_argcount]]
print(json.dumps({op: parameters(operations.find_handler(op)) for op in operations.OPERATIONS}))`);
    expect(handlers).toEqual(Object.fromEntries(operations.map(([op]) => [op, ['channel', 'request']])));
  });

  it('has the error codes that the host takes from an agent, and INTERNAL_ERROR', () => {
    expect(codes).toEqual([...AGENT_CODES, ErrorCode.INTERNAL_ERROR].sort());
    for (const code of codes) expect(Object.keys(ErrorCode)).toContain(code);
  });

  it('has the error codes that the agent gives', () => {
    const given = new Set([...SOURCES.matchAll(/"([A-Z]+(?:_[A-Z]+)+)"/g)].map(([, code]) => code!));
    expect([...given].sort()).toEqual([...codes, ...streamCodes].sort());
  });

  it('has the frames of streams, and the limits, of the agent', () => {
    const frames = table('type', 'frame of a stream', 'payload').map(([type, name]) => [name, Number(type)] as const);
    const names = [...frames.map(([name]) => name), 'STREAM_WINDOW', 'WIDE_STREAM_WINDOW', 'MAX_STREAMS', 'MAX_WIDE_STREAMS'];
    const values = askAgent(`from wire import frames; print(json.dumps([getattr(frames, name) for name in ${JSON.stringify(names)}]))`);
    const limits = [64 * 1024, 256 * 1024, 256, 4];
    expect(values).toEqual([...frames.map(([, type]) => type), ...limits]);
    expect(PROTOCOL).toContain(`begins with a window of ${limits[0]! >> 10} KiB`);
    expect(PROTOCOL).toContain(`never over ${limits[1]! >> 10}\nKiB`);
    expect(PROTOCOL).toContain(`at most ${limits[2]} streams at a time`);
    expect(PROTOCOL).toContain(`for ${limits[3]} streams at a time`);
  });

  it('has the frames, and the limits, of both sides', () => {
    const frames = table('from', 'type', 'name', 'payload').map(([from, type, name]) => [from, name, Number(type)]);
    const host = Object.entries(HostFrame).map(([name, type]) => ['host', name, type]);
    const agent = Object.entries(AgentFrame).map(([name, type]) => ['agent', name, type]);
    expect(frames).toEqual([...host, ...agent]);
    const names = ['REQUEST', 'DATA', 'EOF', 'CANCEL', 'CREDIT', 'PING', 'LEASE', 'HELLO', 'OUT', 'ERR', 'END', 'DATA_CREDIT', 'PONG'];
    const limits = ['MAX_HOST_PAYLOAD', 'MAX_AGENT_PAYLOAD', 'WINDOW'];
    const values = askAgent(
      `from wire import frames; print(json.dumps([getattr(frames, name) for name in ${JSON.stringify([...names, ...limits])}]))`,
    );
    const ours = [MAX_HOST_PAYLOAD_BYTES, MAX_AGENT_PAYLOAD_BYTES, WINDOW_BYTES];
    expect(values).toEqual([...frames.map(([, , type]) => type), ...ours]);
    expect(PROTOCOL).toContain(`at most ${ours[0]! >> 20} MiB from the host and at most ${ours[1]! >> 10} KiB from the agent`);
    expect(PROTOCOL).toContain(`begins with a window of ${ours[2]! >> 10} KiB`);
  });
});
