import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepSettings, settingsOf } from './settings';

describe('The settings of the command line', () => {
  let home: string;
  let clone: string;
  const env = () => ({ HOME: home });

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'sandbox-home-'));
    clone = join(home, 'clone');
    mkdirSync(join(clone, '.sandbox'), { recursive: true });
    mkdirSync(join(clone, 'deep/er'), { recursive: true });
    writeFileSync(join(clone, '.sandbox/api-key'), 'local-key\n');
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it('come from flags, the environment, the kept file and a local service, in this order', () => {
    const found = (flags: object, more: object, directory: string) => settingsOf(flags, { ...env(), ...more }, directory);
    expect(found({}, {}, home)).toEqual({ url: 'http://127.0.0.1:8000', session: 'default', source: 'nowhere' });
    const local = { url: 'http://127.0.0.1:8000', apiKey: 'local-key', session: 'default', source: 'a local `npm start`' };
    expect(found({}, {}, join(clone, 'deep/er'))).toEqual(local);
    writeFileSync(join(clone, '.sandbox/api-url'), 'http://127.0.0.1:9000\n');
    expect(found({}, {}, clone)).toMatchObject({ url: 'http://127.0.0.1:9000' });
    const file = keepSettings({ url: 'https://kept', apiKey: 'kept-key' }, env());
    expect(found({}, {}, clone)).toEqual({ url: 'https://kept', apiKey: 'kept-key', session: 'default', source: file });
    const SANDBOX = { SANDBOX_URL: 'https://env/', SANDBOX_TOKEN: 'jwt', SANDBOX_SESSION: 's' };
    expect(found({}, SANDBOX, clone)).toEqual({ url: 'https://env', token: 'jwt', session: 's', source: 'SANDBOX_TOKEN' });
    expect(found({}, { ...SANDBOX, SANDBOX_API_KEY: 'k' }, clone)).toMatchObject({ apiKey: 'k', source: 'SANDBOX_API_KEY' });
    expect(found({ url: 'https://flag', key: 'f', session: 't' }, SANDBOX, clone)).toEqual({
      url: 'https://flag',
      apiKey: 'f',
      session: 't',
      source: 'the flag --key',
    });
  });

  it('send a kept key to no other server than its own', () => {
    keepSettings({ url: 'https://kept', apiKey: 'kept-key' }, env());
    for (const [flags, more] of [
      [{ url: 'https://other' }, {}],
      [{}, { SANDBOX_URL: 'https://other' }],
    ] as const)
      expect(settingsOf(flags, { ...env(), ...more }, clone)).toEqual({ url: 'https://other', session: 'default', source: 'nowhere' });
    expect(settingsOf({ url: 'https://kept/' }, env(), clone)).toMatchObject({ apiKey: 'kept-key' });
    expect(settingsOf({ url: 'http://127.0.0.1:8000' }, env(), clone)).toMatchObject({ apiKey: 'local-key' });
  });

  it('are kept where only the user can read them', () => {
    const file = join(home, '.config/sandbox/settings.json');
    mkdirSync(join(home, '.config/sandbox'), { recursive: true });
    writeFileSync(file, 'old', { mode: 0o644 });
    expect(keepSettings({ url: 'https://kept', apiKey: 'k' }, env())).toBe(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each(['', '{', 'null', '[]', '{"url": 5}'])('are an error that names the file when it holds %j', (text) => {
    const file = keepSettings({ url: 'https://kept' }, env());
    writeFileSync(file, text);
    expect(() => settingsOf({}, env(), home)).toThrow(file);
  });
});
