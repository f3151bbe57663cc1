const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Builtins that dash, busybox ash and bash all have. A shell never searches PATH for them. */
export const COMMON_BUILTINS =
  words(`. : [ alias bg break cd command continue echo eval exec exit export false fg getopts hash jobs kill local
  printf pwd read readonly return set shift test times trap true type ulimit umask unalias unset wait`);

export const BASH_BUILTINS =
  words(`${[...COMMON_BUILTINS].join(' ')} bind builtin caller compgen complete compopt declare dirs disown enable fc
  help history let logout mapfile popd pushd readarray shopt source suspend typeset`);

/** Builtins of any of the three shells. */
export const ANY_BUILTINS = words(`${[...BASH_BUILTINS].join(' ')} chdir`);
