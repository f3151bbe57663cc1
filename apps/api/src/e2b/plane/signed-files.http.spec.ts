import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { OwnedSession, WorkspaceService } from '@sandbox/orchestrator';
import { type User, userFromApiKey, userFromJwtSubject } from '@sandbox/sessions';
import { SessionTokens } from '../../auth/session-tokens';
import { API_KEY, TestApp } from '../../../../../test/support/test-app';

const ALICE = userFromApiKey(API_KEY);
const ID = '0123456789abcdef0123456789abcdef';

describe('files by a signed address', () => {
  let app: TestApp;
  let token: string;
  const sessions = { listOwned: jest.fn<Promise<OwnedSession[]>, []>() };
  const workspace = {
    openRead: jest.fn<ReturnType<WorkspaceService['openRead']>, Parameters<WorkspaceService['openRead']>>(),
    writeFile: jest.fn(async (_user: User, _session: string, path: unknown, content: unknown) => {
      await text(content as Readable);
      return { path: String(path), size: 1, created: true, etag: '"1"', session_created: false };
    }),
  };

  beforeEach(async () => {
    jest.clearAllMocks();
    app = await TestApp.start({ sessions, workspace });
    token = new SessionTokens(app.config).issueToken({ user: ALICE, expiresAt: null }, ID);
    const others = [
      { user: userFromApiKey('a key that is gone'), sessionId: 'x' },
      { user: userFromJwtSubject('carol'), sessionId: 'y' },
      { user: ALICE, sessionId: 'another' },
    ];
    sessions.listOwned.mockResolvedValue([...others, { user: ALICE, sessionId: ID }]);
    workspace.openRead.mockImplementation(async () => {
      const part = { size: 4, modified: '2025-01-01T00:00:00.000Z', etag: '"1"', offset: 0, length: 4, ranged: false };
      return { ...part, content: Readable.from([Buffer.from('file')]) };
    });
  });
  afterEach(() => app.stop());

  function address(
    operation: 'read' | 'write',
    { path, username = '', expiration }: { path?: string; username?: string; expiration?: number } = {},
  ): string {
    const signed = [path ?? '', operation, username, token, ...(expiration === undefined ? [] : [expiration])].join(':');
    const query = new URLSearchParams({
      ...(username && { username }),
      ...(path !== undefined && { path }),
      signature: `v1_${createHash('sha256').update(signed).digest('base64').replace(/=+$/, '')}`,
      ...(expiration !== undefined && { signature_expiration: String(expiration) }),
    });
    return `${app.url}/files?${query.toString()}`;
  }
  const soon = (): number => Math.floor(Date.now() / 1000) + 60;
  const form = (): RequestInit => {
    const body = new FormData();
    body.append('file', new Blob(['content']), 'd/name');
    return { method: 'POST', body };
  };

  it('are read without any header', async () => {
    const response = await fetch(address('read', { path: 'a b/é' }));
    expect([response.status, await response.text()]).toEqual([200, 'file']);
    const owner = expect.objectContaining({ ...ALICE, onlyLive: true }) as User;
    expect(workspace.openRead).toHaveBeenCalledWith(owner, ID, 'a b/é', undefined, expect.anything());
    expect((await fetch(address('read', { path: 'a', username: 'user', expiration: soon() }))).status).toBe(200);
  });

  it('are written, by the path or by the names in the form', async () => {
    const named = await fetch(address('write', { expiration: soon() }), form());
    expect([named.status, await named.json()]).toEqual([200, [{ path: '/workspace/d/name', name: 'name', type: 'file' }]]);
    expect((await fetch(address('write', { path: 'x' }), form())).status).toBe(200);
    expect(workspace.writeFile.mock.calls.map(([, session, path]) => [session, path])).toEqual([
      [ID, 'd/name'],
      [ID, 'x'],
    ]);
  });

  it.each<[string, () => string, RequestInit]>([
    ['for another operation', () => address('read', { path: 'a' }), form()],
    ['for another path', () => address('read', { path: 'a' }).replace('path=a', 'path=b'), {}],
    ['that is over', () => address('read', { path: 'a', expiration: soon() - 120 }), {}],
    ['whose end was moved', () => address('read', { path: 'a', expiration: soon() }).replace(/expiration=1/, 'expiration=2'), {}],
    ['whose end was taken away', () => address('read', { path: 'a', expiration: soon() }).replace(/&signature_expiration=\d+/, ''), {}],
    ['without a signature', () => `${app.url}/files?path=a`, {}],
    ['with two signatures', () => `${address('read', { path: 'a' })}&signature=v1_x`, {}],
    ['with a signature that is none', () => `${app.url}/files?path=a&signature=v1_x`, {}],
  ])('are refused to an address %s', async (_name, url, init) => {
    const response = await fetch(url(), init);
    expect([response.status, await response.json()]).toEqual([401, { code: 401, message: 'A valid credential is needed.' }]);
    expect([workspace.openRead.mock.calls, workspace.writeFile.mock.calls]).toEqual([[], []]);
  });

  it('are refused with a credential that is not a signature', async () => {
    expect((await app.fetch('/files?path=a')).status).toBe(401);
    const headers = { 'X-Access-Token': token, 'E2b-Sandbox-Id': ID };
    expect((await fetch(`${app.url}/files?path=a`, { headers })).status).toBe(401);
  });

  it('are not there when the sandbox has ended', async () => {
    const url = address('read', { path: 'a' });
    sessions.listOwned.mockResolvedValue([]);
    expect((await fetch(url)).status).toBe(401);
    workspace.openRead.mockRejectedValue(new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'Gone.'));
    sessions.listOwned.mockResolvedValue([{ user: ALICE, sessionId: ID }]);
    expect((await fetch(url)).status).toBe(502);
  });

  it('make nobody ask the store for strangers without end', async () => {
    const wrong = address('read', { path: 'a' }).replace('path=a', 'path=b');
    const statuses: number[] = [];
    for (let i = 0; i < 64; i++) statuses.push((await fetch(wrong)).status);
    expect(statuses.slice(-4)).toEqual([429, 429, 429, 429]);
    expect(sessions.listOwned.mock.calls.length).toBeLessThanOrEqual(61);
  });

  it('ask the store one question at a time for all who come meanwhile', async () => {
    let answer!: (found: OwnedSession[]) => void;
    sessions.listOwned.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    const url = address('read', { path: 'a' });
    const first = fetch(url);
    while (sessions.listOwned.mock.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const others = Array.from({ length: 20 }, () => fetch(url));
    await new Promise((resolve) => setTimeout(resolve, 200));
    answer([{ user: ALICE, sessionId: ID }]);
    for (const response of await Promise.all([first, ...others])) expect(response.status).toBe(200);
    expect(sessions.listOwned.mock.calls.length).toBeLessThan(20);
  });

  it('fail when the store is away', async () => {
    sessions.listOwned.mockRejectedValueOnce(new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'The store is away.'));
    const url = address('read', { path: 'a' });
    expect((await fetch(url)).status).toBe(503);
    expect((await fetch(url)).status).toBe(200);
  });
});
