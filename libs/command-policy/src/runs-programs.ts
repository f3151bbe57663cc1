import { namesOf } from './program-names';

/**
 * Programs that can run another program, or code of the caller's choice. A list with one of them
 * cannot confine a user to its names, so it is a guard-rail. The groups say how they do it.
 */
const RUNS_OTHERS: Readonly<Record<string, string>> = {
  shells: 'sh bash dash ash busybox toybox zsh ksh mksh rbash fish csh tcsh pwsh nu elvish xonsh',
  interpreters: `python pypy ipython jupyter jupyter-nbconvert pydoc 2to3 perl cpan cpanm prove ruby irb gem bundle bundler rake rails rspec
    rubocop node nodejs deno bun bunx php composer phpunit lua luajit luarocks R Rscript julia octave guile racket sbcl clisp ghci runghc
    ocaml ocamlc ocamlopt opam elixir iex mix erl escript rebar3 swipl gprolog swift dart flutter groovy scala kotlin kotlinc clojure clj
    lein dotnet mono mcs csc nim nimble crystal zig jshell java gnuplot gs ghostscript exiftool magick convert mogrify montage identify
    pandoc pdb pdb3 idle idle3 instmodsh tex latex pdflatex xelatex lualatex latexmk groff troff nroff plantuml jekyll hugo asciidoctor`,
  startsItsArguments: `env xargs nice nohup timeout stdbuf chroot runcon setsid time watch flock ionice chrt taskset prlimit setarch setpriv
    unshare nsenter sudo su doas runuser sg newgrp script unbuffer expect parallel entr chronic ifne pee faketime fakeroot hyperfine strace
    ltrace gdb lldb valgrind perf ccache distcc direnv dotenv coreutils linux32 linux64 catchsegv ld.so run-parts start-stop-daemon tini
    dumb-init gosu su-exec s6-setuidgid supervisord cron crontab at batch screen tmux dtach abduco systemd-run concurrently nodemon pm2
    watchexec ssh-agent dbus-run-session xvfb-run logsave choom uclampset i386 x86_64 scriptlive service invoke-rc.d`,
  byAnOptionOrCommandOfTheirs: `find fd fdfind awk gawk mawk nawk original-awk sed gsed ed red ex vi vim view vimdiff nvim nano pico emacs
    micro joe ne mc mcedit less more most man info zless zmore dc m4 tar bsdtar zip cpio rsync scp sftp ssh slogin
    ssh-argv0 ssh-copy-id git git-lfs gh tig hub svn hg
    cvs pre-commit delta bat batcat ack ag rg fzf diff3 sdiff patch zgrep zdiff zcmp bzgrep xzgrep zstdgrep zipgrep ldd wget
    curl aria2c openssl gpg socat nc ncat netcat telnet ftp lftp tftp mail mailx mutt ip tcpdump docker podman kubectl nerdctl ctr crictl
    helm ansible ansible-playbook terraform vagrant pssh psql mysql mariadb sqlite sqlite3 duckdb mongosh mongo
    rename prename gzexe shar vidir vipe scriptreplay systemctl journalctl loginctl updatedb
    pager editor rview rvim rnano vim.tiny vim.basic bzless bzmore xzless xzmore lzless lzmore zstdless lesspipe lessfile perldoc scalar
    git-receive-pack git-upload-pack git-upload-archive make-first-existing-target wcurl
    tclsh wish nvm localectl mlr sox play rec cowsay cowthink dvips csvtool actionlint top`,
  packageManagers: `pip pipx pipenv poetry pdm uv uvx hatch flit virtualenv venv conda mamba micromamba pyenv npm npx yarn yarnpkg pnpm pnpx
    corepack cargo rustup go apt apt-get apt-cache aptitude dpkg dpkg-deb apk yum dnf rpm pacman zypper brew snap flatpak nix nix-shell
    nix-env cabal stack vcpkg conan update-alternatives`,
  buildAndTestTools: `make gmake cmake ctest cpack ccmake ninja ninja-build meson autoconf automake aclocal autoheader autoreconf autoscan
    libtool libtoolize bison yacc flex lex swig protoc scons waf bazel bazelisk buck just task premake5 xmake gcc g++ cc c++ c89 c99 cpp
    clang clang++ clang-tidy clangd tcc as ld gold lld ld.lld ld.gold nm ar ranlib strip objcopy objdump gfortran gnat fpc rustc rustdoc
    clippy-driver cargo-clippy cargo-fmt wasm-pack goimports golangci-lint staticcheck dlv javac javadoc mvn mvnw gradle gradlew ant sbt
    ghc dune pytest py.test nosetests tox nox coverage pylint mypy twine cython django-admin flask uvicorn gunicorn celery alembic scrapy
    mkdocs sphinx-build pdoc pygmentize cookiecutter streamlit flake8 pyright tsc tsx ts-node eslint oxlint prettier biome jest vitest
    mocha ava webpack rollup vite esbuild parcel swc babel turbo nx lerna next nuxt ng vue nest gulp grunt serve http-server playwright
    cypress prisma cscope ctags indent sqlfluff ansible-lint yamllint markdownlint`,
};

/** The rank of each name. The best known come first. */
const RANK: ReadonlyMap<string, number> = new Map(
  Object.values(RUNS_OTHERS)
    .flatMap((names) => names.trim().split(/\s+/))
    .map((name, index) => [name, index]),
);

function rank(program: string): number | undefined {
  return namesOf(program)
    .map((name) => RANK.get(name))
    .find((found) => found !== undefined);
}

/** @returns those of `programs` that can run others, the best known first */
export function programsThatRunOthers(programs: readonly string[]): string[] {
  return programs
    .map((name) => ({ name, rank: rank(name) ?? -1 }))
    .filter((program) => program.rank >= 0)
    .sort((a, b) => a.rank - b.rank)
    .map(({ name }) => name);
}
