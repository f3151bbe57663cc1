import { TestApp } from '../../../../test/support/test-app';

describe('POST /policy/check', () => {
  let app: TestApp;
  const ask = async (body: object): Promise<[number, unknown]> => {
    const response = await app.json('POST', '/policy/check', body);
    return [response.status, await response.json()];
  };

  beforeAll(async () => {
    app = await TestApp.start({}, { ALLOWED_COMMANDS: 'cat,cut,ls' });
  });
  afterAll(() => app.stop());

  it('says that a command may run when it may', async () => {
    expect(await ask({ command: 'ls | cut -c1', shell: 'sh', env: { A: 'b' } })).toEqual([200, { allowed: true }]);
  });

  it('says which word is refused, why, and what is like it when it may not', async () => {
    const refused = { allowed: false, word: 'cot', position: { line: 1, column: 6, offset: 5 }, similar: ['cat', 'cut'] };
    expect(await ask({ command: 'ls | cot' })).toEqual([200, { ...refused, reason: 'it is not on the list of allowed programs' }]);
  });

  it('answers 404 when there is no such session', async () => {
    expect(await ask({ command: 'ls', session_id: 's' })).toEqual([404, expect.objectContaining({ code: 'SESSION_NOT_FOUND' })]);
  });

  it.each([
    [{}],
    [{ command: '' }],
    [{ command: ['ls'] }],
    [{ command: 'a\0' }],
    [{ command: 'ls', timeout: 1 }],
    [{ command: 'ls', shell: 'zsh' }],
  ])('answers 422 when the body is %j', async (body) => {
    expect((await ask(body))[0]).toBe(422);
  });

  it('writes a line of the audit log, and no variable’s value, when it is asked', async () => {
    await ask({ command: 'cot secret', env: { A: 'hidden' } });
    const line = app.log.find((entry) => entry.includes('cot secret'))!;
    expect(JSON.parse(line)).toMatchObject({ audit: true, op: 'check_command', command: 'cot secret', allowed: false });
    expect(line).not.toMatch(/hidden|session_id/);
  });
});
