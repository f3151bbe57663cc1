import { ConflictError, type ConnectionOptions, Sandbox, type SandboxOptions } from '@sandbox/client';
import { Command, InvalidArgumentError } from 'commander';
import { completionScript } from './commands/completion';
import { copy } from './commands/copy';
import { exec } from './commands/exec';
import { cat, edit, list } from './commands/files';
import { listJobs, logs } from './commands/jobs';
import { login } from './commands/login';
import { checkPolicy } from './commands/policy';
import { shell } from './commands/shell';
import { makeToken, type TokenOptions } from './commands/token';
import { watch, type WatchOptions } from './commands/watch';
import { printJson, printLine, printTable, write } from './printing';
import { commandLine } from './remote-path';
import { report } from './report';
import { type Environment, type Flags, type Settings, settingsOf } from './settings';
import { UsageError } from './usage-error';

const EXAMPLES = `
Examples:
  sandbox exec 'echo hello from $(hostname)'
  tar c src | sandbox exec 'tar x && ls src'
  sandbox cp ./project demo:project && sandbox --session demo shell
  sandbox ports open 8080
  sandbox policy check 'pyton train.py'

A session is a sandbox with a name. The first command makes it. It goes away when nobody uses it.
URL and key: --url and --key, SANDBOX_URL and SANDBOX_API_KEY, what \`sandbox login\` has kept, or a
local \`npm start\` in this directory or above it; in this order.`;

/** Runs a command line. @returns the exit status */
export async function runProgram(argv: readonly string[], env: Environment, directory: string): Promise<number> {
  let exitCode = 0;
  let settings: Settings | undefined;
  const program = new Command('sandbox')
    .description('Run commands and handle files in isolated, disposable sandboxes.')
    .option('-s, --session <name>', 'the session (SANDBOX_SESSION; default: "default")')
    .option('--url <url>', 'the server (SANDBOX_URL)')
    .option('--key <key>', 'an API key (SANDBOX_API_KEY is safer: other users can read arguments)')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(--help shows what there is)')
    .enablePositionalOptions()
    .exitOverride();
  const current = (): Settings => (settings = settingsOf(program.opts<Flags>(), env, directory));
  const connection = (): ConnectionOptions => {
    const { url, apiKey, token } = current();
    return { url, ...(apiKey !== undefined && { apiKey }), ...(token !== undefined && { token }) };
  };
  const open = (session?: string): Sandbox => Sandbox.of(session ?? current().session, connection());

  program
    .command('exec')
    .summary('run a command')
    .description('Run a command. Its output comes as it writes it, and its exit status is this one’s. A pipe or a file is its input.')
    .argument('<command...>', 'one argument is a shell command line; of several, each is one word')
    .option('-w, --cwd <directory>', 'where it starts')
    .option('-e, --env <name=value>', 'an environment variable; may be repeated', variable)
    .option('-t, --timeout <seconds>', 'when it is killed', seconds)
    .option('--json', 'print the result as JSON')
    .passThroughOptions()
    .action(async (words: string[], options: object) => {
      exitCode = await exec(open(), commandLine(words), options);
    });
  program
    .command('shell')
    .description('Open a terminal. It comes back if the connection breaks.')
    .argument('[command]', 'what runs in it, instead of a shell')
    .action(async (command?: string) => {
      exitCode = await shell(open(), command);
    });
  program
    .command('cp')
    .description('Copy a file or a directory into a sandbox, or out of one.')
    .argument('<from>', 'a path of this machine, or SESSION:PATH, or :PATH of the usual session')
    .argument('<to>')
    .action(async (from: string, to: string) => copy(from, to, open));
  program
    .command('ls')
    .description('List a directory.')
    .argument('[path]', 'default: /workspace', '')
    .option('-l, --long', 'with size and time')
    .option('--depth <levels>', 'also what is below it', whole)
    .option('--json', 'print the entries as JSON')
    .action(async (path: string, options: object) => list(open(), path, options));
  program
    .command('cat')
    .description('Print a file.')
    .argument('<path>')
    .action(async (path: string) => cat(open(), path));
  program
    .command('edit')
    .description('Open a file in your editor (VISUAL, EDITOR). It is written if nobody else has changed it meanwhile.')
    .argument('<path>')
    .action(async (path: string) => edit(open(), path, env.VISUAL || env.EDITOR || 'vi'));
  program
    .command('watch')
    .description('Print what changes in a directory, as it happens, until Ctrl-C.')
    .argument('[path]', 'default: /workspace', '')
    .option('-r, --recursive', 'also below it')
    .option('--json', 'print each event as a line of JSON')
    .action(async (path: string, options: WatchOptions) => watch(open(), path, options));
  program
    .command('rm')
    .description('Delete files or directories.')
    .argument('<path...>')
    .action(async (paths: string[]) => {
      for (const path of paths) await open().files.remove(path);
    });
  program
    .command('jobs')
    .description('List the jobs of the session.')
    .option('--json', 'print them as JSON')
    .action(async ({ json = false }: { json?: boolean }) => listJobs(open(), json));
  program
    .command('logs')
    .description('Print what a job has written.')
    .argument('<job>')
    .option('-f, --follow', 'go on until the job ends')
    .action(async (job: string, { follow = false }: { follow?: boolean }) => logs(open(), job, follow));

  const ports = program.command('ports').description('Show a program’s port in a browser.');
  ports
    .command('list', { isDefault: true })
    .description('List the ports on which programs listen.')
    .option('--json', 'print them as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const all = await open().ports.list();
      if (json) return printJson(all);
      return printTable(
        ['PORT', 'ADDRESS', 'PROGRAM'],
        all.map(({ port, address, program: name }) => [String(port), address, name ?? '']),
      );
    });
  ports
    .command('open')
    .description('Print a URL at which any browser reaches the port, for an hour. Whoever has it can use it.')
    .argument('<port>', '', whole)
    .option('--minutes <minutes>', 'for how long', whole)
    .action(async (port: number, { minutes }: { minutes?: number }) => {
      const { url } = await open().ports.open(port, minutes === undefined ? {} : { expiresInMs: minutes * 60_000 });
      await printLine(url);
    });
  ports
    .command('close')
    .description('Revoke all URLs of the port.')
    .argument('<port>', '', whole)
    .action((port: number) => open().ports.close(port));

  program
    .command('sessions')
    .description('List your live sessions.')
    .option('--json', 'print them as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const all = await Sandbox.list(connection());
      if (json) return printJson(all);
      const rows = all.map(({ sessionId, image, memory, lastUsedAt, expiresAt }) => [sessionId, image, memory, lastUsedAt, expiresAt]);
      return printTable(['SESSION', 'IMAGE', 'MEMORY', 'LAST USED', 'EXPIRES'], rows);
    });
  program
    .command('new')
    .description('Make the session, with options. They hold for its whole life.')
    .option('--image <image>')
    .option('--memory <size>', 'such as 512m')
    .option('--cpus <number>', '', Number)
    .option('--pids <number>', '', whole)
    .option('--disk <size>', '/workspace on the host’s disk, such as 2g')
    .option('--ttl <seconds>', 'when it is removed if nobody uses it', whole)
    .option('--persistent', 'keep its files until it is removed')
    .option('-e, --env <name=value>', 'an environment variable of all its commands; may be repeated', variable)
    .option('--metadata <name=value>', 'a note of yours; may be repeated', variable)
    .option('--network <rule>', 'a server that its programs may reach; may be repeated', several)
    .action(async ({ ttl, env: envs, network, ...options }: NewOptions) => {
      const { session } = current();
      await Sandbox.create({
        ...connection(),
        ...options,
        sandboxId: session,
        ...(ttl !== undefined && { timeoutMs: ttl * 1_000 }),
        ...(envs && { envs }),
        ...(network && { network: { allow: network } }),
      }).catch((error: unknown) => {
        if (!(error instanceof ConflictError)) throw error;
        throw new UsageError(`${error.message} \`sandbox kill\` removes the session; --session names another.`);
      });
      await printLine(session);
    });
  program
    .command('kill')
    .description('Remove the session with its files.')
    .action(() => open().kill());

  const network = program.command('network').description('Which servers the session’s programs may reach.');
  network
    .command('show', { isDefault: true })
    .description('Print the rules, the last connections and refusals, as JSON.')
    .action(async () => printJson(await open().network.get()));
  network
    .command('allow')
    .description('Allow these besides what is allowed.')
    .argument('<rule...>', 'such as pypi.org, *.example.com, db.example.com:5432, packages, git')
    .action(async (rules: string[]) => {
      const { network: rulesOf } = open();
      await rulesOf.set([...new Set([...(await rulesOf.get()).allow, ...rules])]);
    });
  network
    .command('set')
    .description('Allow these alone; nothing if there are none. Other connections are cut.')
    .argument('[rule...]')
    .action((rules: string[]) => open().network.set(rules));
  network
    .command('check')
    .description('Tell whether a server can be reached, and why not.')
    .argument('<host>')
    .argument('[port]', '', whole, 443)
    .action(async (host: string, port: number) => {
      const answer = await open().network.check(host, port);
      await printJson(answer);
      exitCode = answer.allowed ? 0 : 1;
    });

  program
    .command('policy')
    .description('Which commands may run.')
    .command('check')
    .description('Tell whether a command may run; if not, which word is refused, why, and what is allowed. Nothing is run.')
    .argument('<command...>', 'as for exec')
    .option('--json', 'print the answer as JSON')
    .passThroughOptions()
    .action(async (words: string[], { json = false }: { json?: boolean }) => {
      exitCode = await checkPolicy(open(), commandLine(words), json);
    });
  program
    .command('token')
    .description(
      'Make a token for a user, or a new API key. For the operator: a token needs the service’s JWT_SECRET, in the environment or in .env here; an API key works once it is in API_KEYS.',
    )
    .option('--sub <name>', 'the user')
    .option('--minutes <minutes>', 'for how long; default: 60', whole)
    .option('--key', 'a new API key instead')
    .option('--json', 'print it as JSON')
    .action(async (options: TokenOptions) => {
      exitCode = await makeToken(options);
    });
  program
    .command('login')
    .description('Keep the URL and the key of a server for this user. The key is asked for, or comes from a pipe.')
    .argument('[url]', 'default: --url, SANDBOX_URL, or http://127.0.0.1:8000')
    .action(async (url?: string) => login(url ?? current().url, env));
  program
    .command('status')
    .description('Tell which server is used, whose key, and whether it works.')
    .action(async () => {
      const { url, source, session } = current();
      await printLine(`server:  ${url}\nkey:     from ${source}\nsession: ${session}`);
      const live = await Sandbox.list(connection());
      await printLine(`works:   yes, ${live.length} live session${live.length === 1 ? '' : 's'}`);
    });
  program
    .command('completion')
    .description('Print a script that completes commands: eval "$(sandbox completion bash)"')
    .argument('<shell>', 'bash, zsh or fish')
    .action((name: string) => write(process.stdout, completionScript(program, name)));

  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, settings);
  }
}

interface NewOptions extends Pick<SandboxOptions, 'image' | 'memory' | 'cpus' | 'pids' | 'disk' | 'persistent' | 'metadata'> {
  ttl?: number;
  env?: Record<string, string>;
  network?: string[];
}

function variable(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It has to be NAME=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function several(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It has to be a whole number.');
  return Number(text);
}

function seconds(text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It has to be a number of seconds.');
  return Number(text);
}
