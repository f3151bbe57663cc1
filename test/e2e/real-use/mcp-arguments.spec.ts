import { TestDeployment } from '../../support/service/deployment';
import { ALICE, Service } from '../../support/service/service';

jest.setTimeout(180_000);

const deployment = new TestDeployment();
let service: Service;

beforeAll(async () => {
  service = await Service.start({ deployment });
});
afterAll(async () => {
  await service?.stop();
  await deployment.removeAll();
});

interface Result {
  isError?: boolean;
  structuredContent?: object;
  content: { text: string }[];
  _meta?: { problem: object };
}

/** Sends a call with exactly this text as `params`. */
async function call(params: string): Promise<Result> {
  const response = await service.client(ALICE).send('POST', '/mcp', {
    headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
    body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`,
  });
  return ((await response.json()) as { result: Result }).result;
}

describe('The MCP server, for arguments as clients send them,', () => {
  it.each<[string, string, object]>([
    ['null for what is optional', '{"command":"echo a","session_id":"s","timeout":null,"env":null,"stdin":null}', { stdout: 'a\n' }],
    ['a number as text', '{"command":"echo b","session_id":"s","timeout":"10"}', { stdout: 'b\n' }],
    ['a truth value as text', '{"command":"echo c","session_id":"s","background":"false"}', { stdout: 'c\n' }],
    ['an object as text', '{"command":"echo $A","session_id":"s","env":"{\\"A\\":\\"d\\"}"}', { stdout: 'd\n' }],
    ['a number in env', '{"command":"echo $A","session_id":"s","env":{"A":8080}}', { stdout: '8080\n' }],
    ['a number for session_id', '{"command":"echo e","session_id":7}', { stdout: 'e\n' }],
    [
      'what n8n adds',
      '{"command":"echo f","session_id":"s","toolCallId":"call_1","sessionId":"x","chatInput":"hi","action":"sendMessage","tool":"t"}',
      { stdout: 'f\n' },
    ],
  ])('accepts a call when it has %s', async (_what, args, answer) => {
    const result = await call(`{"name":"execute","arguments":${args},"_meta":null}`);
    expect(result).toMatchObject({ structuredContent: answer });
    expect(result.isError).toBeFalsy();
  });

  it('accepts the arguments when all of them are one text', async () => {
    const args = JSON.stringify('{"command":"echo $A","session_id":"s","timeout":"10","env":{"A":"g"}}');
    const result = await call(`{"name":"execute","arguments":${args}}`);
    expect(result).toMatchObject({ structuredContent: { stdout: 'g\n' } });
    expect(result.isError).toBeFalsy();
  });

  it('accepts edits when they are a text, and optional fields when they are null', async () => {
    await call('{"name":"workspace_write","arguments":{"session_id":"s","path":"f","content":"one"}}');
    const edits = JSON.stringify('[{"old":"one","new":"two","all":null}]');
    const result = await call(`{"name":"workspace_edit","arguments":{"session_id":"s","path":"f","edits":${edits}}}`);
    expect(result.content[0]!.text).toContain('+two');
  });

  it('reads arguments: null as none, and says what is missing, when a call has them', async () => {
    const result = await call('{"name":"execute","arguments":null}');
    expect(result).toMatchObject({ isError: true, _meta: { problem: { code: 'VALIDATION_FAILED' } } });
    expect(result.content[0]!.text).toContain('session_id');
  });

  it('leaves out the list of all programs when it refuses a command', async () => {
    const result = await call('{"name":"execute","arguments":{"session_id":"s","command":"no-such-program"}}');
    expect(result._meta!.problem).toMatchObject({ code: 'COMMAND_NOT_ALLOWED', word: 'no-such-program' });
    expect(result._meta!.problem).not.toHaveProperty('allowed');
  });

  it.each<[string, string, string, RegExp]>([
    [
      'a timeout over the maximum',
      'execute',
      '{"session_id":"s","command":"true","timeout":300}',
      /^VALIDATION_FAILED: timeout: 300 is over the maximum of 120; for longer work use background: true/,
    ],
    [
      'the name of another service',
      'execute',
      '{"session_id":"s","command":"true","cwd":"src"}',
      /cwd is not a known field; use working_dir/,
    ],
    [
      'the fields of another edit tool',
      'workspace_edit',
      '{"session_id":"s","path":"f","edits":[{"old_string":"a","new_string":"b"}]}',
      /edits\[0\]\.old_string is not a known field; use old/,
    ],
    ['a text that is no number', 'execute', '{"session_id":"s","command":"true","timeout":"soon"}', /timeout must be a number, not "soon"/],
    [
      'a command that is too long',
      'execute',
      `{"session_id":"s","command":"${'x'.repeat(32_001)}"}`,
      /command must have 1 to 32000 characters, not 32001: .*workspace_write.*stdin/,
    ],
    ['a program like one on the list', 'execute', '{"session_id":"s","command":"pytohn a.py"}', /`pytohn` .*, among them python/],
  ])('says what is wrong and what is right when a call has %s', async (_what, name, args, text) => {
    const result = await call(`{"name":"${name}","arguments":${args}}`);
    expect(result.isError).toBe(true);
    expect(result.content[0]!.text).toMatch(text);
  });
});
