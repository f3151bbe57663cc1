/**
 * The programs allowed where ALLOWED_COMMANDS is empty, by group: what people and models type daily in the images this service is
 * used with. Shell builtins need no entry.
 */
export const DEFAULT_PROGRAM_GROUPS: Readonly<Record<string, string>> = {
  shells: 'sh bash dash ash busybox zsh ksh rbash',
  coreutils: `[ arch b2sum base32 base64 basename basenc cat chcon chgrp chmod chown chroot cksum comm coreutils cp csplit cut date dd df
    dir dircolors dirname du echo env expand expr factor false fmt fold groups head hostid hostname id install join kill link ln logname
    ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc numfmt od paste pathchk pinky pr printenv printf ptx pwd readlink realpath
    rm rmdir runcon seq sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac tail
    tee test timeout touch tr true truncate tsort tty uname unexpand uniq unlink uptime users vdir wc who whoami yes`,
  findutils: 'find xargs locate updatedb',
  diffutils: 'diff diff3 sdiff cmp patch colordiff wdiff diffstat',
  procps: 'ps top htop free pgrep pkill pidof pidwait pmap pwdx skill slabtop snice sysctl tload vmstat w watch',
  psmisc: 'killall fuser pstree peekfd prtstat lsof',
  text: `grep egrep fgrep zgrep sed gsed awk gawk mawk nawk original-awk bc dc column col colrm colcrt rev look strings hexdump hd xxd
    ed tput clear reset iconv dos2unix unix2dos envsubst gettext ngettext jq yq xq tomlq xmllint xsltproc csvtool mlr datamash
    rg ag ack fd fdfind sd fzf tree bat batcat delta eza exa tldr ts sponge pv uuencode uudecode figlet cowsay banner cal ncal`,
  utilLinux: `flock setsid script scriptreplay getopt rename ionice taskset prlimit lscpu lsblk lsipc lsns findmnt mountpoint namei
    whereis which type more ul uuidgen mcookie fallocate cksfv lsmem chrt setpriv`,
  compressors: `gzip gunzip zcat zcmp zdiff zless zmore gzexe bzip2 bunzip2 bzcat bzgrep xz unxz xzcat xzgrep lzma unlzma lzcat zstd
    unzstd zstdcat zstdgrep lz4 unlz4 lz4cat lzop brotli compress uncompress pigz pbzip2 pixz`,
  archivers: 'tar bsdtar zip unzip zipinfo zipgrep 7z 7za 7zr unrar rar cpio ar ranlib pax shar',
  viewersAndEditors: 'less more view vi vim vimdiff nvim nano pico emacs ex micro joe mcedit ne man apropos whatis info file',
  environment: 'direnv locale localedef tzselect getconf getent run-parts update-alternatives dotenv',
  checksumsAndKeys: 'openssl gpg gpgv md5 sha256 sha3sum xxhsum cksum age uuid pwgen',
  transfer: 'curl wget rsync aria2c http https',
  git: 'git git-lfs gh tig hub svn hg pre-commit',
  python: `python python2 python3 python3.8 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 pypy pypy3 pip pip3 pipx
    pipenv poetry pdm uv uvx hatch flit virtualenv venv conda mamba micromamba pyenv ipython ipython3 jupyter jupyter-nbconvert pydoc
    pydoc3 2to3 pytest py.test nosetests tox nox coverage black ruff flake8 pylint mypy pyright isort autopep8 yapf bandit twine cython
    django-admin flask uvicorn gunicorn celery alembic scrapy mkdocs sphinx-build pdoc pygmentize cookiecutter streamlit`,
  node: `node nodejs npm npx yarn yarnpkg pnpm pnpx corepack nvm bun bunx deno tsc tsx ts-node eslint oxlint prettier biome jest vitest
    mocha ava webpack rollup vite esbuild parcel swc babel turbo nx lerna next nuxt ng vue nest gulp grunt serve http-server pm2 nodemon
    playwright cypress prisma rimraf concurrently`,
  otherInterpreters: `perl perl5 cpan cpanm prove ruby irb gem bundle bundler rake rails rspec rubocop php composer phpunit lua luajit
    luarocks Rscript R julia octave tclsh wish expect guile racket sbcl clisp ghci runghc ocaml opam elixir iex mix erl escript rebar3
    swipl gprolog swift dart flutter pwsh groovy scala kotlin kotlinc clojure clj lein dotnet mono mcs csc nim nimble crystal zig`,
  buildTools: `make gmake cmake ctest cpack ccmake ninja ninja-build meson autoconf automake aclocal autoheader autoreconf autoscan
    libtool libtoolize pkg-config pkgconf m4 bison yacc flex lex gperf swig protoc scons waf bazel bazelisk buck just task premake5 xmake
    conan vcpkg ccache distcc`,
  cAndCpp: `gcc g++ cc c++ c89 c99 cpp clang clang++ clang-format clang-tidy clangd tcc as ld gold lld ld.lld ld.gold nm objdump objcopy
    readelf size strip addr2line c++filt gcov gprof ldd gdb lldb valgrind strace ltrace cppcheck indent astyle ctags cscope gfortran`,
  goRustJava: `go gofmt goimports golangci-lint dlv staticcheck cargo rustc rustup rustfmt rustdoc clippy-driver cargo-clippy cargo-fmt
    wasm-pack java javac jar javadoc javap jshell jps jstack jmap jcmd keytool mvn mvnw gradle gradlew ant sbt ghc cabal stack ocamlc
    ocamlopt dune nasm yasm fpc gnat`,
  databases: 'sqlite3 sqlite psql pg_dump pg_restore pg_isready createdb dropdb mysql mysqldump mariadb redis-cli mongosh duckdb',
  packageManagers: `apt apt-get apt-cache apt-mark aptitude dpkg dpkg-query dpkg-deb apk yum dnf rpm pacman zypper brew snap flatpak nix
    nix-shell nix-env`,
  documentsAndMedia: `pandoc pdflatex xelatex lualatex latex latexmk bibtex biber dvips groff troff nroff ghostscript gs pdftotext pdfinfo
    pdftoppm qpdf convert magick identify mogrify montage ffmpeg ffprobe sox exiftool dot neato gnuplot plantuml wkhtmltopdf markdown
    asciidoctor hugo jekyll tesseract`,
  linters: 'shellcheck shfmt hadolint yamllint jsonlint markdownlint actionlint tflint sqlfluff ansible-lint codespell aspell hunspell',
  runners: 'time parallel entr tmux screen nohup unbuffer chronic errno lsb_release arch nproc faketime hyperfine',
};

/** The table as one sorted list without repeats. */
export const DEFAULT_ALLOWED_PROGRAMS: readonly string[] = [
  ...new Set(Object.values(DEFAULT_PROGRAM_GROUPS).flatMap((names) => names.trim().split(/\s+/))),
].sort();
