import { Tools } from '../../support/service/mcp';
import { TestDeployment } from '../../support/service/deployment';
import { type Answer, ALICE, type Client, Service } from '../../support/service/service';

jest.setTimeout(180_000);

interface Edit {
  old: string;
  new: string;
  all?: boolean;
}

const NFD = 'cafe\u0301';

describe('The edit call, for edits as agents send them,', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let rest: Client;
  let tools: Tools;

  beforeAll(async () => {
    service = await Service.start({ deployment });
    rest = service.client(ALICE);
    tools = await Tools.connect(service, ALICE);
  });
  afterAll(async () => {
    await tools?.close();
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  const put = (content: string): Promise<Answer<unknown>> =>
    rest.request('PUT', rest.workspace('s', 'f', true), undefined, {
      body: content,
      headers: { 'Content-Type': 'application/octet-stream' },
    });
  const edit = (edits: Edit[]): Promise<Answer<unknown>> => rest.request('POST', '/sessions/s/workspace/edit', { path: 'f', edits });
  const content = async (): Promise<string> =>
    (await rest.request<{ content: string }>('GET', rest.workspace('s', 'f', true))).body.content;

  it.each<[file: string, edits: Edit[], written: string]>([
    ['a\r\nb\r\nc\r\n', [{ old: 'a\nb\n', new: 'a\nx\nb\n' }], 'a\r\nx\r\nb\r\nc\r\n'],
    ['a\r\nb\r\nc\r\n', [{ old: 'b', new: 'b\nx' }], 'a\r\nb\r\nx\r\nc\r\n'],
    ['a\nb\nc\n', [{ old: 'a\r\nb\r\n', new: 'x\r\ny\r\n' }], 'x\ny\nc\n'],
    ['a\nb\nc\n', [{ old: 'b', new: 'x\r\ny' }], 'a\nx\ny\nc\n'],
    ['a\r\nb\nc\r\n', [{ old: 'a', new: 'a\nx' }], 'a\r\nx\r\nb\nc\r\n'],
    ['a\r\nb\nc\r\n', [{ old: 'b', new: 'x\ny' }], 'a\r\nx\ny\nc\r\n'],
    ['a\r\nb\na\nb\r\n', [{ old: 'a\nb', new: 'x\ny' }], 'a\r\nb\nx\ny\r\n'],
    ['\ufeffa\r\nb\r\n', [{ old: 'a\nb', new: 'x\ny' }], '\ufeffx\r\ny\r\n'],
    ['x\r\nb\r\nx\r\n', [{ old: 'x\n', new: 'y\nz\n', all: true }], 'y\r\nz\r\nb\r\ny\r\nz\r\n'],
    ['a\r\nb\r\n', [{ old: '\r\n', new: '\n', all: true }], 'a\nb\n'],
    ['a\nb\n', [{ old: '\n', new: '\r\n', all: true }], 'a\r\nb\r\n'],
  ])('applies the edits when the file is %j and they are %j, which makes %j, by REST and MCP', async (file, edits, written) => {
    await put(file);
    expect(await edit(edits)).toMatchObject({ status: 200 });
    expect(await content()).toBe(written);
    await put(file);
    expect((await tools.call('workspace_edit', { session_id: 's', path: 'f', edits })).isError).toBeFalsy();
    expect(await content()).toBe(written);
  });

  const missing = (reason: string, index = 0): string => `edits[${index}]: \`old\` matches 0 times: ${reason}`;
  const differs = (what: string, number: number, line: string): string =>
    missing(`it differs from the file in ${what}. Nearest is line ${number}, "${line}".`);

  it.each<[file: string, edits: Edit[], detail: string]>([
    ['def f():\n\treturn 1\n', [{ old: '    return 1\n', new: 'x' }], differs('tabs for spaces', 2, '\\treturn 1')],
    ['def f():\n    return 1\n', [{ old: 'f():  \n    return', new: 'x' }], differs('trailing blanks', 1, 'def f():')],
    ['a\u00a0= 1\n', [{ old: 'a = 1', new: 'x' }], differs('non-breaking spaces', 1, 'a\\xa0= 1')],
    ['say(\u201chi\u201d)\n', [{ old: 'say("hi")', new: 'x' }], differs('typographic quotes', 1, 'say(\u201chi\u201d)')],
    [`${NFD}\n`, [{ old: 'café', new: 'x' }], differs('Unicode normal form (the file has NFD)', 1, NFD)],
    [
      'a\nb = 1',
      [{ old: 'b = 1\n', new: 'x' }],
      missing('it ends with a newline and the file does not (a missing last newline). Nearest is the last line, 2.'),
    ],
    [
      'def f():\r\n    return 1\r\n',
      [{ old: 'def f():\n    return 2\n', new: 'x' }],
      missing('nearest is line 2, "    return 1", where `old` has "    return 2".'),
    ],
    [
      'def f():\n    return 1\n',
      [{ old: '  1\tdef f():\n  2\t    return 1\n', new: 'x' }],
      missing('its lines begin with line numbers. Without that it is on line 1, "def f():".'),
    ],
    ['a\n', [{ old: 'zebra crossing', new: 'x' }], missing('nothing in the file is like it. Read the file again.')],
    [
      'a\nb\na\n',
      [{ old: 'a', new: 'x' }],
      'edits[0]: `old` matches 2 times and not once, on lines 1, 3: give more of what is around it, or `all: true`.',
    ],
    [
      'one\n',
      [
        { old: 'one', new: 'two' },
        { old: 'Two', new: 'x' },
      ],
      'edits[1]: `old` matches 0 times: it differs from the file in upper and lower case. Nearest is line 1, "two". Lines are counted as the edits before it leave them.',
    ],
  ])('says why and where it refuses when the file is %j and the edits are %j', async (file, edits, detail) => {
    await put(file);
    expect(await edit(edits)).toMatchObject({ status: 409, body: { code: 'EDIT_NOT_APPLICABLE', detail } });
    expect(await tools.text('workspace_edit', { session_id: 's', path: 'f', edits })).toBe(`EDIT_NOT_APPLICABLE: ${detail}`);
    expect(await content()).toBe(file);
  });

  it('writes no file content into the log when an edit does not apply', async () => {
    await put('secret-of-the-file\n');
    expect(await edit([{ old: 'secret-of-the-fila', new: 'x' }])).toMatchObject({
      body: { detail: expect.stringContaining('secret-of-the-file') },
    });
    expect(service.child.output).not.toContain('secret-of-the-fil');
  });
});
