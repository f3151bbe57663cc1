import { createCommandPolicy } from '@sandbox/command-policy';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { AgentRequest } from '../channel/channel';
import { afterOwnPrograms } from './own-programs';
import type { OpenSandbox } from '../entering/open-sandbox';
import { checkPolicy } from './shell-command';

const policy = createCommandPolicy([]);
const unlisted = (command: string) => checkPolicy({ command }, policy, 'sh').unlisted;

/** What comes of a command in a sandbox that gives this answer, and what the sandbox is asked. */
async function outcome(
  command: string,
  answer: Record<string, unknown>,
  sessionEnv?: Record<string, string>,
): Promise<{ asked: AgentRequest[]; done: unknown }> {
  const asked: AgentRequest[] = [];
  const call = async (request: AgentRequest): Promise<Record<string, unknown>> => {
    asked.push(request);
    return answer;
  };
  const sandbox = { channel: { sendRequest: call }, options: { env: sessionEnv } } as unknown as OpenSandbox;
  const work = afterOwnPrograms(unlisted(command), undefined, async () => 'done');
  return { asked, done: await work(sandbox).catch((error: unknown) => error) };
}

describe('afterOwnPrograms', () => {
  it('asks nothing if every name is on the list', async () => {
    const work = async (): Promise<string> => 'done';
    expect(afterOwnPrograms(unlisted('ls | head'), undefined, work)).toBe(work);
  });

  it('lets the command go on if all names are the session’s own', async () => {
    const { asked, done } = await outcome('mycli | other', { first_other: null });
    expect(asked).toEqual([{ op: 'own_programs', names: ['mycli', 'other'], search_path: undefined }]);
    expect(done).toBe('done');
  });

  it('looks along the PATH of the session when its variables set one', async () => {
    const { asked } = await outcome('mycli', { first_other: null }, { PATH: '/workspace/bin:/usr/bin' });
    expect(asked).toEqual([{ op: 'own_programs', names: ['mycli'], search_path: '/workspace/bin:/usr/bin' }]);
  });

  it('refuses a command at its first name that is no program of the session', async () => {
    const { done } = await outcome('mycli | other', { first_other: 1 });
    expect(done).toMatchObject({ code: ErrorCode.COMMAND_NOT_ALLOWED, extensions: { word: 'other', position: { column: 9 } } });
  });

  it.each([{}, { first_other: 2 }, { first_other: -1 }, { first_other: '0' }, { first_other: 0.5 }, { first_other: true }])(
    'does not go on if the sandbox answers %j',
    async (answer) => {
      const { done } = await outcome('mycli | other', answer);
      expect(done).toBeInstanceOf(SandboxError);
      expect(done).toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    },
  );
});
