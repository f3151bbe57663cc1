import type { Command } from 'commander';
import { UsageError } from '../usage-error';

const NAME = 'sandbox';

/** Makes the script with which a shell completes commands and options. */
export function completionScript(program: Command, shell: string): string {
  const commands = namesBelow(program, []);
  if (shell === 'bash') return bash(commands);
  if (shell === 'zsh') return `autoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;
  if (shell === 'fish') return fish(program);
  throw new UsageError('There are completions for bash, zsh and fish.');
}

/** The words that can follow each path of commands. */
function namesBelow(command: Command, path: readonly string[]): [path: string, words: string[]][] {
  const own = command.options.flatMap(({ long }) => (long ? [long] : []));
  const words = [...command.commands.map((child) => child.name()), ...own, '--help'];
  return [[path.join(' '), words], ...command.commands.flatMap((child) => namesBelow(child, [...path, child.name()]))];
}

function bash(commands: readonly [string, string[]][]): string {
  const cases = commands.map(([path, words]) => `    '${path}') words='${words.join(' ')}' ;;`);
  return `_${NAME}() {
  local path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] || path="\${path:+$path }$word"
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [[ \${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o filenames -F _${NAME} ${NAME}
`;
}

function fish(program: Command): string {
  const lines = program.commands.flatMap((command) => [
    `complete -c ${NAME} -n __fish_use_subcommand -a ${command.name()} -d ${quoted(command.summary() || command.description())}`,
    ...command.options
      .filter(({ long }) => long)
      .map(
        ({ long, description }) =>
          `complete -c ${NAME} -n '__fish_seen_subcommand_from ${command.name()}' -l ${long!.slice(2)} -d ${quoted(description)}`,
      ),
  ]);
  return `${lines.join('\n')}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", '')}'`;
}
