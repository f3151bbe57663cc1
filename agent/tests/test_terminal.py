import os
import re
import secrets
import signal

from harness import AgentTestCase


class TerminalTest(AgentTestCase):
    def open_terminal(self, command="sh", columns=80, rows=24, detached_ms=60000, **settings):
        self.job_id = secrets.token_hex(16)
        request = {"shell": "sh", "cwd": self.root, "env": {"PS1": "$ "}, "timeout_ms": 60000, "max_output": 256 << 10}
        request.update({"stdin": False, "open_stdin": True, "terminal": {"columns": columns, "rows": rows, "detached_ms": detached_ms}})
        request.update(settings)
        self.assertEqual(self.agent.call("job_start", job_id=self.job_id, command=command, **request).ok, {})
        self.addCleanup(lambda: self.open_agent().call("job_delete", job_id=self.job_id))
        self.screen = b""

    def type(self, text):
        request = self.agent.open(op="job_stdin", job_id=self.job_id, eof=False)
        self.agent.send_input(request, text.encode())
        self.assertEqual(self.agent.wait(request).ok, {})

    def read(self, wait_ms=20000):
        offsets = {"stdout": len(self.screen)}
        answer = self.agent.call("job_output", job_id=self.job_id, offsets=offsets, limit=65536, wait_ms=wait_ms)
        self.screen += answer.stdout
        return answer.ok["stdout"]

    def read_until(self, pattern):
        ended = False
        while not re.search(pattern, self.screen):
            self.assertFalse(ended, self.screen)
            ended = self.read()["eof"]

    def stat(self):
        return self.agent.call("job_stat", job_id=self.job_id).ok

    def test_gives_the_command_a_terminal_and_a_new_size_when_it_is_resized(self):
        self.open_terminal("tty; stty size; trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done", columns=101, rows=33)
        self.read_until(rb"/dev/pts/\d+\r\n33 101\r\nready")
        self.assertEqual(self.agent.call("job_resize", job_id=self.job_id, columns=77, rows=22).ok, {})
        self.read_until(rb"22 77\r\n")
        self.assertEqual(self.stat()["terminal"], True)

    def test_stops_and_ends_programs_when_control_keys_are_typed(self):
        self.open_terminal()
        self.type("sleep 63.5\n")
        self.eventually(lambda: self.pids_of("sleep\00063.5"))
        self.type("\x1a")
        self.read_until(rb"Stopped|suspended")
        self.type("bg; jobs; kill %1; wait; cat - -\n")
        self.eventually(lambda: not self.pids_of("sleep\00063.5"))
        self.eventually(lambda: self.pids_of("cat\0-\0-"))
        self.type("\x03")
        # The terminal drops what is typed before the shell has it again.
        self.read_until(rb"\^C(?s:.*)\n\S*[$#] $")
        self.type("echo after-$((6*7)); exit 5\n")
        self.read_until(rb"after-42\r\n")
        self.eventually(lambda: self.stat()["state"] == "exited")
        self.assertEqual(self.stat()["exit_code"], 5)

    def test_sets_a_history_file_outside_the_workspace(self):
        self.open_terminal('echo "[$HISTFILE]"')
        self.read_until(rb"\[/tmp/\.bash_history\]")

    def test_echoes_what_is_typed_and_ends_input_at_control_d(self):
        self.open_terminal("cat; echo end")
        self.type("typed\n")
        self.read_until(rb"typed\r\ntyped\r\n")
        self.type("\x04")
        self.read_until(rb"end\r\n")
        self.eventually(lambda: self.read()["eof"])

    def test_keeps_the_terminal_when_a_program_closes_it_and_opens_it_again(self):
        self.open_terminal("echo before; exec 0<&- 1>&- 2>&-; sleep 0.5; echo after >/dev/tty; sleep 0.5; until [ -e go ]; do sleep 0.02; done; stty size </dev/tty >/dev/tty")
        self.read_until(rb"before\r\nafter\r\n")
        self.assertEqual(self.agent.call("job_resize", job_id=self.job_id, columns=77, rows=22).ok, {})
        self.put("go", "")
        self.read_until(rb"22 77\r\n")
        self.eventually(lambda: self.read()["eof"])

    def test_closes_the_terminal_when_its_shell_has_ended(self):
        if os.geteuid() != 0:
            self.skipTest("only root can look at an agent's descriptors")
        self.open_terminal("echo x")
        self.eventually(lambda: self.stat()["state"] == "exited")
        for pid in self.children_of(self.agent.process.pid):
            links = self.links_of(pid)
            self.assertEqual([link for link in links if "pts" in link or "ptmx" in link], [])

    def test_ends_the_terminal_and_all_its_processes_when_nobody_reads_any_more(self):
        self.open_terminal("setsid sleep 64.5 & sleep 64.5", detached_ms=1500)
        self.eventually(lambda: self.pids_of("sleep\00064.5"))
        self.eventually(lambda: not self.pids_of("sleep\00064.5"))
        self.assertEqual(self.agent.call("job_stat", job_id=self.job_id).code, "JOB_NOT_FOUND")

    def test_keeps_the_terminal_when_somebody_reads(self):
        self.open_terminal("sleep 4; echo still; sleep 20", detached_ms=2000)
        self.read()
        self.assertEqual(self.screen, b"still\r\n")

    def test_ends_a_program_that_floods_the_terminal_when_control_c_is_typed(self):
        self.open_terminal("yes")
        self.eventually(lambda: self.stat()["stdout_bytes"] > 1 << 20)
        self.type("\x03")
        self.eventually(lambda: self.stat()["state"] == "killed")
        self.assertEqual(self.stat()["signal"], signal.SIGINT)
