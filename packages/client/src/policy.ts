import type { CommandOptions } from './commands.ts';
import { answerOf, type CallOptions, type Connection } from './connection.ts';
import { NotFoundError } from './errors.ts';
import { type CamelCased, camelCased } from './naming.ts';
import type { components } from './schema.ts';

type Schemas = components['schemas'];

export type PolicyAnswer = CamelCased<Schemas['PolicyAnswerDto']>;

/** Which commands the operator's rules allow. */
export class Policy {
  constructor(
    private readonly connection: Connection,
    private readonly sandboxId: string,
  ) {}

  /** Tells whether a command may run. If not: which word is refused, why, and what is like it. */
  async check(command: string, { envs, shell, signal }: CallOptions & Pick<CommandOptions, 'envs' | 'shell'> = {}): Promise<PolicyAnswer> {
    const question = { command, ...(envs && { env: envs }), ...(shell && { shell }) };
    const ask = async (body: Schemas['CheckPolicyDto']): Promise<PolicyAnswer> =>
      camelCased(await answerOf(this.connection.api.POST('/policy/check', { body, signal })));
    try {
      return await ask({ ...question, session_id: this.sandboxId });
    } catch (error) {
      // If no sandbox of this name lives, a command would get a new one.
      if (!(error instanceof NotFoundError)) throw error;
      return ask(question);
    }
  }
}
