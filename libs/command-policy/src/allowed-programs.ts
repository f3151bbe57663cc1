/**
 * The programs that are allowed if ALLOWED_COMMANDS is empty, by group: what people and models type
 * daily in the images that this service runs. Shell builtins need no entry.
 */
export const DEFAULT_PROGRAM_GROUPS: Readonly<Record<string, string>> = {
  shells: 'sh bash dash ash busybox zsh ksh rbash',
  coreutils: `[ arch b2sum base32 base64 basename basenc cat chcon chgrp chmod chown chroot cksum comm coreutils cp csplit cut date dd df
    dir dircolors dirname du echo env expand expr factor false fmt fold groups head hostid hostname id install join kill link ln logname
    ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc numfmt od paste pathchk pinky pr printenv printf ptx pwd readlink realpath
    rm rmdir runcon seq sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac tail
    tee tempfile test timeout touch tr true truncate tsort tty uname unexpand uniq unlink uptime users vdir wc who whoami yes`,
  findutils: 'find xargs locate updatedb',
  diffutils: 'diff diff3 sdiff cmp patch colordiff wdiff diffstat',
  procps: 'ps top htop free pgrep pkill pidof pidwait pmap pwdx skill slabtop snice sysctl tload vmstat w watch',
  psmisc: 'killall fuser pstree pstree.x11 peekfd prtstat pslog lsof',
  text: `grep egrep fgrep rgrep sed gsed awk gawk mawk nawk original-awk bc dc column col colrm colcrt rev look strings hexdump hd xxd
    ed tput clear clear_console reset tset tabs iconv piconv dos2unix unix2dos envsubst gettext ngettext jq yq xq tomlq xmllint xsltproc csvtool mlr datamash
    rg ag ack fd fdfind sd fzf tree bat batcat delta eza exa tldr ts sponge pv uuencode uudecode figlet cowsay banner cal ncal`,
  utilLinux: `flock setsid script scriptlive scriptreplay getopt rename rename.ul ionice renice taskset prlimit chrt choom uclampset setpriv
    lscpu lsblk lsipc lsns lslocks lsirq lsfd lslogins lsmem ipcs ipcrm ipcmk mount umount findmnt mountpoint namei whereis which
    which.debianutils type more ul uuidgen mcookie fallocate cksfv hardlink fincore filefrag isosize dmesg last lastb utmpdump logger
    mesg wall setterm setarch linux32 linux64 i386 x86_64 ischroot savelog`,
  fileSystem: 'lsattr chattr getfattr setfattr getfacl setfacl blkid',
  compressors: `gzip gunzip zcat zcmp zdiff zgrep zegrep zfgrep zless zmore zforce znew gzexe bzip2 bunzip2 bzcat bzcmp bzdiff bzgrep
    bzegrep bzfgrep bzless bzmore bzexe bzip2recover xz unxz xzcat xzcmp xzdiff xzgrep xzegrep xzfgrep xzless xzmore lzma unlzma lzcat
    lzcmp lzdiff lzgrep lzegrep lzfgrep lzless lzmore lzmainfo zstd unzstd zstdcat zstdgrep zstdless zstdmt pzstd lz4 unlz4 lz4cat lzop
    brotli compress uncompress pigz pbzip2 pixz`,
  archivers: `tar tarcat bsdtar zip unzip funzip unzipsfx zipinfo zipgrep zipcloak zipnote zipsplit zipdetails streamzip 7z 7za 7zr unrar rar cpio ar ranlib pax
    shar ptar ptardiff ptargrep`,
  viewersAndEditors: `less lessecho lessfile lesspipe lesskey more pager view rview vi vim vim.tiny vim.basic vimdiff helpztags rvim nvim
    nano rnano pico emacs ex editor micro joe mcedit ne man apropos whatis info file`,
  environment: `direnv locale localedef iconvconfig tzselect zdump zic getconf getent run-parts update-alternatives dotenv hostname domainname
    dnsdomainname nisdomainname ypdomainname tic toe infocmp infotocap captoinfo`,
  checksumsAndKeys: 'openssl gpg gpgv md5 sha256 shasum md5sum.textutils sha3sum xxhsum cksum c_rehash age uuid pwgen sqv',
  transfer: `curl wget wcurl rsync aria2c http https ssh slogin scp sftp ssh-add ssh-agent ssh-argv0 ssh-copy-id ssh-keygen
    ssh-keyscan`,
  git: 'git scalar git-receive-pack git-upload-archive git-upload-pack git-lfs gh tig hub svn hg pre-commit',
  python: `python python2 python3 python3.8 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 pypy pypy3 pip pip3 pipx
    pipenv poetry pdm uv uvx hatch flit virtualenv venv conda mamba micromamba pyenv ipython ipython3 jupyter jupyter-nbconvert pydoc
    pydoc3 pdb pdb3 pygettext3 py3clean py3compile py3versions idle idle3 python-config python3-config python3.12-config python3.13-config
    2to3 pytest py.test nosetests tox nox coverage black ruff flake8 pylint mypy pyright isort autopep8 yapf bandit twine cython
    django-admin flask uvicorn gunicorn celery alembic scrapy mkdocs sphinx-build pdoc pygmentize cookiecutter streamlit`,
  node: `node nodejs npm npx yarn yarnpkg pnpm pnpx corepack nvm bun bunx deno tsc tsx ts-node eslint oxlint prettier biome jest vitest
    mocha ava webpack rollup vite esbuild parcel swc babel turbo nx lerna next nuxt ng vue nest gulp grunt serve http-server pm2 nodemon
    playwright cypress prisma rimraf concurrently`,
  otherInterpreters: `perl perl5 cpan cpanm prove perldoc perlivp pl2pm pod2html pod2man pod2text pod2usage podchecker json_pp splain xsubpp
    h2ph h2xs enc2xs encguess corelist instmodsh libnetcfg ruby irb gem bundle bundler rake rails rspec rubocop php composer phpunit lua luajit
    luarocks Rscript R julia octave tclsh wish expect guile racket sbcl clisp ghci runghc ocaml opam elixir iex mix erl escript rebar3
    swipl gprolog swift dart flutter pwsh groovy scala kotlin kotlinc clojure clj lein dotnet mono mcs csc nim nimble crystal zig`,
  buildTools: `make gmake make-first-existing-target cmake ctest cpack ccmake ninja ninja-build meson autoconf automake aclocal autoheader autoreconf autoscan
    libtool libtoolize pkg-config pkgconf m4 bison yacc flex lex gperf swig protoc scons waf bazel bazelisk buck just task premake5 xmake
    conan vcpkg ccache distcc`,
  cAndCpp: `gcc g++ cc c++ c89 c99 cpp clang clang++ clang-format clang-tidy clangd tcc as ld ldconfig ld.so pldd gold lld ld.lld ld.gold nm objdump objcopy
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
  services: 'service start-stop-daemon invoke-rc.d',
  runners: 'time parallel entr tmux screen nohup unbuffer chronic logsave errno lsb_release arch nproc faketime hyperfine',
};

/** All names of the table as one sorted list without repeats. */
export const DEFAULT_ALLOWED_PROGRAMS: readonly string[] = [
  ...new Set(Object.values(DEFAULT_PROGRAM_GROUPS).flatMap((names) => names.trim().split(/\s+/))),
].sort();
