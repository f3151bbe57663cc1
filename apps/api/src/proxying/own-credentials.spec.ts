import { loadConfig } from '@sandbox/config';
import { userFromApiKey } from '@sandbox/sessions';
import { Authenticator } from '../auth/authenticator';
import { SessionTokens } from '../auth/session-tokens';
import { OwnCredentials } from './own-credentials';

const CONFIG = loadConfig({ SESSION_STORE: 'memory', API_KEYS: 'a-key', METRICS_TOKEN: 'sixteen-characters' });
const sessionTokens = new SessionTokens(CONFIG);
const credentials = new OwnCredentials(CONFIG, new Authenticator(CONFIG), sessionTokens);

describe('OwnCredentials', () => {
  it.each([
    ['nothing', [], false],
    ['a key', ['Bearer a-key'], true],
    ['a key behind another case', ['bEARER  a-key'], true],
    ['the token of the metrics', ['Bearer sixteen-characters'], true],
    ['a key beside another header', ['Basic eA==', 'Bearer a-key'], true],
    ['the token of a program', ['Bearer its-own'], false],
    ['a password', ['Basic YS1rZXk='], false],
  ])('keeps Authorization from a program only if it is one for this API: %s', async (_, authorization, isOwn) => {
    const names = await credentials.headersOf({ headersDistinct: { authorization } });
    expect(names).toEqual(isOwn ? ['x-api-key', 'authorization'] : ['x-api-key']);
  });

  it('keeps X-Access-Token from a program only if it is the token of a session', async () => {
    const own = sessionTokens.tokenOfKey(userFromApiKey('a-key'), 's')!;
    for (const [tokens, isOwn] of [
      [[own], true],
      [['its-own', own], true],
      [['its-own'], false],
    ] as const)
      expect(await credentials.headersOf({ headersDistinct: { 'x-access-token': [...tokens] } })).toEqual(
        isOwn ? ['x-api-key', 'x-access-token'] : ['x-api-key'],
      );
  });
});
