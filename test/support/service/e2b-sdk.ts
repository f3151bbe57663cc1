import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type * as E2b from 'e2b';

/** What a program keeps from one call to the next. */
export interface Kept {
  sandbox: E2b.Sandbox;
  handle: E2b.CommandHandle;
}

/** How a call in the other process failed. */
export interface SdkFault {
  readonly name: string;
  /** The name of the error's class. */
  readonly type: string;
  readonly message: string;
  readonly exitCode?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

interface Reply {
  id: number;
  value?: unknown;
  error?: SdkFault;
}

/** A process with a version of E2B's SDK, pointed at a service by its environment alone. */
export class E2bSdk {
  private count = 0;

  private constructor(private readonly process: ChildProcess) {}

  /** @param version the name under which the version is installed */
  static async start(version: string, serviceUrl: string, apiKey: string): Promise<E2bSdk> {
    const env = {
      PATH: process.env.PATH,
      E2B_API_URL: `${serviceUrl}/e2b`,
      E2B_SANDBOX_URL: `${serviceUrl}/e2b/sandbox`,
      E2B_API_KEY: apiKey,
    };
    const child = fork(join(__dirname, 'e2b-process.mjs'), [version], { env, execArgv: [] });
    const failed = once(child, 'exit').then(() => Promise.reject(new Error(`${version} was not loaded`)));
    await Promise.race([once(child, 'message'), failed]);
    failed.catch(() => undefined);
    return new E2bSdk(child);
  }

  /**
   * Calls a function in the other process. It sees nothing of this one but its parameters.
   * @returns what it returns, as JSON carries it
   * @throws SdkFault
   */
  async run<T, P extends readonly unknown[]>(
    program: (sdk: typeof E2b, kept: Kept, ...parameters: P) => Promise<T>,
    ...parameters: P
  ): Promise<T> {
    const id = this.count++;
    const replied = new Promise<Reply>((resolve, reject) => {
      const take = (reply: Reply): void => {
        if (reply.id !== id) return;
        this.process.off('message', take).off('exit', reject);
        resolve(reply);
      };
      this.process.on('message', take).once('exit', reject);
    });
    this.process.send({ id, text: program.toString(), parameters });
    const { value, error } = await replied;
    if (error !== undefined) throw error;
    return value as T;
  }

  /** Calls a function that has to fail. */
  async fault<P extends readonly unknown[]>(
    program: (sdk: typeof E2b, kept: Kept, ...parameters: P) => Promise<unknown>,
    ...parameters: P
  ): Promise<SdkFault> {
    const outcome = await this.run(program, ...parameters).then(
      (value) => ({ value }),
      (error: SdkFault) => ({ error }),
    );
    if (!('error' in outcome)) throw new Error(`It did not fail, but returned ${JSON.stringify(outcome.value)}`);
    return outcome.error;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }
}
