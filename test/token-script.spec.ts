import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig } from '@sandbox/config';
import { Authenticator } from '../apps/api/src/auth/authenticator';

const SCRIPT = resolve(__dirname, '../scripts/token.mjs');
const SECRET = 'a secret of at least thirty-two bytes';

describe('npm run token', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sandbox-token-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const run = (args: string[], env: Record<string, string> = {}): { code: number | null; out: string; err: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { cwd: directory, env, encoding: 'utf8' });
    return { code: status, out: stdout.trim(), err: stderr };
  };
  const userOf = async (token: string, JWT_ALGORITHM: string): Promise<string | undefined> => {
    const authenticator = new Authenticator(loadConfig({ JWT_SECRET: SECRET, JWT_ALGORITHM }));
    return (await authenticator.authenticate({ headersDistinct: { authorization: [`Bearer ${token}`] } })).user?.id;
  };

  it.each(['HS256', 'HS384', 'HS512'])('prints a token that the API takes when the algorithm is %s', async (algorithm) => {
    const { code, out } = run(['--sub', 'alice é'], { JWT_SECRET: SECRET, JWT_ALGORITHM: algorithm });
    expect(code).toBe(0);
    expect(await userOf(out, algorithm)).toBe('jwt:alice é');
  });

  it('reads .env when the environment does not set a variable', async () => {
    writeFileSync(join(directory, '.env'), `JWT_SECRET="${SECRET}"\nJWT_ALGORITHM=HS512\n`);
    expect(await userOf(run(['--sub', 'a']).out, 'HS512')).toBe('jwt:a');
    expect(await userOf(run(['--sub', 'a'], { JWT_ALGORITHM: 'HS256' }).out, 'HS256')).toBe('jwt:a');
  });

  it('prints a token that is valid for an hour, or as long as --minutes says', () => {
    const claims = (args: string[]): { iat: number; exp: number } => {
      const [, payload] = run(['--sub', 'a', ...args], { JWT_SECRET: SECRET }).out.split('.');
      return JSON.parse(Buffer.from(payload!, 'base64url').toString()) as { iat: number; exp: number };
    };
    const lifetime = ({ iat, exp }: { iat: number; exp: number }): number => exp - iat;
    expect(lifetime(claims([]))).toBe(3600);
    expect(lifetime(claims(['--minutes', '5']))).toBe(300);
  });

  it('prints a new API key, as E2B’s SDKs want it, when --key asks for one', async () => {
    const [first, second] = [run(['--key']), run(['--key'])];
    for (const { code, out } of [first, second]) expect([code, out]).toEqual([0, expect.stringMatching(/^e2b_[0-9a-f]{48}$/)]);
    expect(first.out).not.toBe(second.out);
    const authenticator = new Authenticator(loadConfig({ API_KEYS: first.out }));
    const { user } = await authenticator.authenticate({ headersDistinct: { 'x-api-key': [first.out] } });
    expect(user?.id).toMatch(/^key:/);
  });

  it.each<[string, string[], Record<string, string>]>([
    ['a key and a user', ['--key', '--sub', 'a'], { JWT_SECRET: SECRET }],
    ['no secret', ['--sub', 'a'], {}],
    ['the secret of the example', ['--sub', 'a'], { JWT_SECRET: 'change-me-in-production' }],
    ['a short secret', ['--sub', 'a'], { JWT_SECRET: 'x'.repeat(31) }],
    ['another algorithm', ['--sub', 'a'], { JWT_SECRET: SECRET, JWT_ALGORITHM: 'none' }],
    ['no user', [], { JWT_SECRET: SECRET }],
    ['no minutes', ['--sub', 'a', '--minutes', 'many'], { JWT_SECRET: SECRET }],
    ['an unknown option', ['--user', 'a'], { JWT_SECRET: SECRET }],
  ])('refuses to print a token, and shows no secret, when given %s', (_name, args, env) => {
    const { code, out, err } = run(args, env);
    expect([code, out]).toEqual([1, '']);
    expect(err).not.toBe('');
    if (env.JWT_SECRET) expect(err).not.toContain(env.JWT_SECRET);
  });
});
