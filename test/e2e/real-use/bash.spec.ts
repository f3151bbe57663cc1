import { CommandService, type Outcome } from '../../support/service/commands';
import { docker } from '../../support/service/deployment';
import { Terminal } from '../../support/service/terminal';
import { TEST_IMAGE } from '../../support/engine-under-test';

jest.setTimeout(180_000);

type Row = readonly [command: string, stdout: string];

/** Commands that models write for bash. In sh each is an error, or gives another result. */
const BASH: readonly Row[] = [
  ['mkdir -p p/{a,b} && ls p', 'a\nb\n'],
  ['for i in {1..3}; do echo "file$i"; done', 'file1\nfile2\nfile3\n'],
  ['touch f.txt; cp f.txt{,.bak}; ls f.*', 'f.txt\nf.txt.bak\n'],
  ['if [[ "report.txt" == *.txt ]]; then echo text; fi', 'text\n'],
  ['[[ "v12" =~ ^v([0-9]+)$ ]] && echo "${BASH_REMATCH[1]}"', '12\n'],
  ['i=1; ((i++)); echo $i', '2\n'],
  ['for ((i = 0; i < 3; i++)); do printf "%d " $i; done', '0 1 2 '],
  ['[ -n "$RANDOM" ] && [ "$RANDOM" != "$RANDOM$RANDOM" ] && echo random', 'random\n'],
  ['ls /nowhere &> log; wc -l < log', '1\n'],
  ['ls /nowhere &>> errors; wc -l < errors', '1\n'],
  ['ls /nowhere |& wc -l', '1\n'],
  ['grep b <<< "abc"', 'abc\n'],
  ['a=(x y z); a+=(w); echo "${#a[@]} ${a[1]} ${a[@]:2}"', '4 y z w\n'],
  ['declare -A m=([k]=v); echo "${m[k]}"', 'v\n'],
  ['mapfile -t lines < <(printf "a\\nb\\n"); echo "${#lines[@]}"', '2\n'],
  ['echo "X=5" > env.sh; source env.sh; echo $X', '5\n'],
  ['echo "X=6" > env.sh; . env.sh; echo $X', '6\n'],
  ['set -o pipefail; false | true; echo $?', '1\n'],
  ['set -euo pipefail; false | true || echo failed', 'failed\n'],
  ['echo -e "a\\tb"', 'a\tb\n'],
  ['echo -ne "a\\n"', 'a\n'],
  [`echo "print('a\\\\nb')" > a.py; cat a.py`, "print('a\\nb')\n"],
  ['x=\'{"text": "a\\nb"}\'; echo "$x" | jq -r .text', 'a\nb\n'],
  ["echo 'C:\\new\\table'", 'C:\\new\\table\n'],
  ["printf '%s' $'a\\x41\\n'", 'aA\n'],
  ["printf '\\x41\\u00e9\\n'", 'Aé\n'],
  ["printf '%q\\n' 'a b'", 'a\\ b\n'],
  ["printf -v x '%03d' 7; echo $x", '007\n'],
  ['function greet { local name=$1; echo "hi $name"; }; greet you', 'hi you\n'],
  ['my-task() { echo done; }; my-task', 'done\n'],
  ['x=path/to/file.txt; echo "${x//\\//-} ${x:0:4} ${x^^} ${#x}"', 'path-to-file.txt path PATH/TO/FILE.TXT 16\n'],
  ['x=héllo; printf "%d\\n" ${#x}', '5\n'],
  ['name=HOME; printf "%s\\n" "${!name}"', '/workspace\n'],
  ['diff <(echo a) <(echo a) && echo same', 'same\n'],
  ['x=$(</etc/hostname); printf "[%s]\\n" "$x"', '[sandbox]\n'],
  ['printf "a,b\\n" | { IFS=, read -ra parts; echo "${parts[1]}"; }', 'b\n'],
  ['printf "abc" | { read -n 1 c; printf "%s\\n" "$c"; }', 'a\n'],
  ['[ a == a ] && echo equal', 'equal\n'],
  ['[ -v HOME ] && echo set', 'set\n'],
  ['echo $((2 ** 10)) $((16#ff))', '1024 255\n'],
  ['i=5; echo $((i++)) $i', '5 6\n'],
  ['pushd /tmp > /dev/null; pwd; popd > /dev/null; pwd', '/tmp\n/workspace\n'],
  ['shopt -s globstar; mkdir -p g/h; touch g/h/x.md; ls **/*.md', 'g/h/x.md\n'],
  ['true | false | true; echo "${PIPESTATUS[*]}"', '0 1 0\n'],
  ['mkdir -p deep/er && cd $_ && pwd', '/workspace/deep/er\n'],
  ['trap "echo failed" ERR; false; echo after', 'failed\nafter\n'],
  ['sleep 2 & kill -SIGTERM $!; wait $!; echo $?', '143\n'],
  ['f() { echo exported; }; export -f f; bash -c f', 'exported\n'],
  ['exec {fd}> fd.txt; echo hi >&$fd; cat fd.txt', 'hi\n'],
  ['case b in [^a]) echo other ;; esac', 'other\n'],
  ['case a in a) echo 1 ;& b) echo 2 ;; esac', '1\n2\n'],
  ['f() { local x; echo "[$x]"; }; x=outer; f', '[]\n'],
  ['set -e; x=$(false; echo on); printf "%s\\n" "$x"', 'on\n'],
  ['(exit -1); echo $?', '255\n'],
  ['printf "#no interpreter\\necho {a,b}\\n" > s.sh; chmod +x s.sh; ./s.sh', 'a b\n'],
  ['touch only.csv; cat < only*; echo $?', '0\n'],
  ['eval "x={1..2}"; eval "echo {1..2}"', '1 2\n'],
  ['type -t ls', 'file\n'],
  ['shift; echo on', 'on\n'],
  [': > /nowhere/x || echo refused', 'refused\n'],
  ['printf "%s\\n" x=~/y', 'x=/workspace/y\n'],
  ['printf "%s\\n" "$UID" "$HOSTNAME"', '1000\nsandbox\n'],
];

/** Commands for which the shell must not matter. */
const EITHER: readonly Row[] = [
  ['true', ''],
  ['echo hello world; echo; echo -n end', 'hello world\n\nend'],
  ["echo '[[ a ]] {1..3} $RANDOM &> x'", '[[ a ]] {1..3} $RANDOM &> x\n'],
  ['echo "{a,b}" \\{a,b} {} {a} # {a,b} [[ x ]]', '{a,b} {a,b} {} {a}\n'],
  ["cat > t.py <<'EOF'\nx = [[1, 2], [3]]\nprint(x[0], '{a,b}', \"$RANDOM\" == '$RANDOM')\nEOF\npython3 t.py", '[1, 2] {a,b} True\n'],
  ['python3 - <<EOF\nprint([[1, 2]], {1: {2}}, "a" == "b")\nEOF', '[[1, 2]] {1: {2}} False\n'],
  ["bash -c '[[ a == a ]] && echo {1..2}'", '1 2\n'],
  ["awk 'BEGIN { a[1] = 2; print a[1], 2 ** 3 }'", '2 8\n'],
  ["sed 's/\\(b\\)/[\\1]/' <<EOF\nabc\nEOF", 'a[b]c\n'],
  ['i=0; while [ $i -lt 3 ]; do i=$((i + 1)); printf "%s " $i; done', '1 2 3 '],
  ['printf "a b\\nc d\\n" | while read -r x y; do printf "%s-%s\\n" "$y" "$x"; done', 'b-a\nd-c\n'],
  ['if [ -d /tmp ] && [ ! -e /nowhere ]; then printf "yes\\n"; else printf "no\\n"; fi', 'yes\n'],
  ['case abc in a*) printf 1 ;; *) printf 2 ;; esac', '1'],
  ['f() { printf "%s\\n" "$#:$1"; return 3; }; f "a b" c; echo $?', '2:a b\n3\n'],
  ['x=a.tar.gz; printf "%s " "${x%.*}" "${x%%.*}" "${x#*.}" "${x##*.}" "${none:-default}"', 'a.tar a tar.gz gz default '],
  ['printf "%s %5d|%-4s|%.2f|%x|%o|%c|%%\\n" é 5 ab 3.14159 255 8 xyz', 'é     5|ab  |3.14|ff|10|x|%\n'],
  ["printf '\\033[1m\\e[0m\\a\\\\ \\101\\n'", '\x1b[1m\x1b[0m\x07\\ A\n'],
  ['echo $((7 / 2)) $((7 % 3)) $((1 << 4)) $((5 > 3 && 2 < 1)) $((010 + 0x10)) $((-3))', '3 1 16 0 24 -3\n'],
  ['x=$(printf "a b"); set -- $x; printf "%s\\n" "$2" "$#"', 'b\n2\n'],
  ['(cd /tmp; pwd); pwd', '/tmp\n/workspace\n'],
  ['printf "%s" one > o; printf "%s" two >> o; cat < o; cat nowhere 2>/dev/null || printf "!"', 'onetwo!'],
  ['ls -d /tmp /nowhere 2>&1 >/dev/null | wc -l', '1\n'],
  ['X=1 sh -c \'printf "%s\\n" $X\'; export Y=2; sh -c \'printf "%s\\n" $Y\'', '1\n2\n'],
  ['sleep 0.05 & wait $!; echo $?', '0\n'],
  ['sleep 30 & kill -9 $!; wait $! 2>/dev/null; echo $?', '137\n'],
  ['IFS=:; for d in /a:/b; do printf "%s\\n" $d; done', '/a\n/b\n'],
  ['{ printf out; printf err >&2; } 2>/dev/null | cat', 'out'],
  ['set -u; printf "%s\\n" "${1:-none}"', 'none\n'],
  ['umask 077; touch private; stat -c %a private', '600\n'],
];

let commands: CommandService;
let imageWithoutBash: string;

beforeAll(async () => {
  imageWithoutBash = `without-bash-${Date.now().toString(36)}`;
  const without = await docker.createContainer({ Image: TEST_IMAGE, User: '0', Entrypoint: ['sh', '-c', 'rm /bin/bash'], Cmd: [] });
  await without.start();
  await without.wait();
  await without.commit({ repo: imageWithoutBash });
  await without.remove();
  commands = await CommandService.start({ ALLOWED_IMAGES: imageWithoutBash });
});
afterAll(async () => {
  await commands?.stop();
  await docker.getImage(imageWithoutBash).remove();
});

/** Runs a command by REST and by MCP without `shell`, and with each shell, in new sessions. */
async function outcomes(command: string): Promise<Record<'REST' | 'MCP' | 'auto' | 'sh' | 'bash', Outcome>> {
  const { REST, MCP } = commands.ways;
  const chosen = (shell: string): Promise<Outcome> => REST(shell, command, { shell }) as Promise<Outcome>;
  const [rest, mcp, auto, sh, bash] = await Promise.all([
    REST('REST', command) as Promise<Outcome>,
    MCP('MCP', command) as Promise<Outcome>,
    ...['auto', 'sh', 'bash'].map(chosen),
  ] as const);
  return { REST: rest, MCP: mcp, auto: auto!, sh: sh!, bash: bash! };
}

describe('The service, for a command without shell,', () => {
  it.each(BASH)('runs bash when it is %j', async (command, stdout) => {
    const { sh, ...others } = await outcomes(command);
    const answer = expect.objectContaining({ stdout, exit_code: 0 });
    expect(others).toEqual({ REST: answer, MCP: answer, auto: answer, bash: answer });
    expect(sh).not.toEqual(answer);
  });

  it.each(EITHER)('gives the same answer as every shell when it is %j', async (command, stdout) => {
    const answer = { stdout, stderr: '', exit_code: 0 };
    expect(await outcomes(command)).toEqual({ REST: answer, MCP: answer, auto: answer, sh: answer, bash: answer });
  });

  it.each([
    ['ls "a', /^`"a` at line 1, column 4 is not allowed: it cannot be parsed/],
    ['if true; then echo x', /cannot be parsed/],
  ])('says what is wrong when it is %j', async (command, detail) => {
    expect(await commands.ways.REST('REST', command)).toEqual({ code: 'COMMAND_NOT_ALLOWED', detail: expect.stringMatching(detail) });
  });

  it('runs sh when the image has no bash', async () => {
    const created = await commands.rest.request('POST', '/sessions', { session_id: 'no bash', image: imageWithoutBash });
    expect(created.status).toBe(200);
    const [brace, plain] = await Promise.all(['echo {a,b}', 'echo a'].map((command) => commands.ways.REST('no bash', command)));
    expect([brace, plain]).toEqual([
      { stdout: '{a,b}\n', stderr: '', exit_code: 0 },
      { stdout: 'a\n', stderr: '', exit_code: 0 },
    ]);
    expect(await commands.ways.REST('no bash', 'echo a', { shell: 'bash' })).toMatchObject({ code: 'SHELL_NOT_AVAILABLE' });
    const terminal = await Terminal.open(commands.rest, 'no bash');
    terminal.type('echo "[$BASH_VERSION]"\n');
    await terminal.shows(/\r\n\[\]\r\n/);
    await terminal.close();
  });
});

it('runs a job by bash when its command needs bash', async () => {
  const started = await commands.rest.request<{ job_id: string }>('POST', '/sessions/jobs/jobs', {
    command: 'echo {1..3}; [[ a ]] && exit 4',
  });
  const job = `/sessions/jobs/jobs/${started.body.job_id}`;
  const output = await commands.rest.request('GET', `${job}/output?stream=stdout&offset=0&wait_seconds=10`);
  expect(output.body).toMatchObject({ data: '1 2 3\n' });
});

it('starts bash, with history and completion by Tab, when a terminal opens', async () => {
  await commands.rest.run('terminal', 'touch a-long-name.txt');
  const terminal = await Terminal.open(commands.rest, 'terminal');
  terminal.type('echo "[${BASH_VERSION%%.*}]"\n');
  await terminal.shows(/\r\[5\]\r\n/);
  terminal.type('wc -c a-lo\t\n');
  await terminal.shows(/0 a-long-name\.txt\r\n/);
  terminal.type('\x1b[A\x1b[A\n');
  await terminal.shows(/\[5\]\r\n[^]*\[5\]\r\n/);
  terminal.type('exit 3\n');
  await terminal.until('it ends', () => terminal.closed !== undefined);
  expect(terminal.messages.at(-1)).toEqual({ type: 'exit', exit_code: 3 });
  expect((await commands.rest.run('terminal', 'ls -A')).stdout).toBe('a-long-name.txt\n');
});
