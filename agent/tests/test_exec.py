import os
import sys

from harness import AgentTestCase, frames


class ExecTest(AgentTestCase):
    def test_gives_both_outputs_and_the_exit_code(self):
        answer = self.agent.run("echo out; echo err >&2; exit 7")
        self.assertEqual((answer.stdout, answer.stderr, answer.ok["exit_code"]), (b"out\n", b"err\n", 7))
        self.assertEqual(answer.ok["omitted"], {"stdout": 0, "stderr": 0})
        self.assertFalse(answer.ok["timed_out"])

    def test_gives_the_exit_codes_that_the_shell_gives(self):
        self.put("plain.txt", "")
        for command, code in [
            ("true", 0),
            ("no-such-program", 127),
            ("./plain.txt", 126),
            ("kill -9 $$", 137),
            ("kill -TERM $$", 143),
            ("sh -c 'kill -9 $$'", 137),
            ("exit 255", 255),
        ]:
            self.assertEqual(self.agent.run(command).ok["exit_code"], code, command)

    def test_starts_a_command_with_default_signals_and_no_extra_descriptor(self):
        self.assertEqual(self.agent.run("ls /proc/self/fd").stdout.split(), [b"0", b"1", b"2", b"3"])  # 3: ls's own
        ignored = self.agent.run("grep SigIgn /proc/self/status").stdout.split()[1]
        # Of signals 32 and 33, the C library's own, it has no say.
        self.assertEqual(int(ignored, 16) & 0x7FFFFFFF, 0)
        self.assertEqual(self.agent.run("yes | head -1").ok["exit_code"], 0)

    def test_runs_a_command_when_it_begins_with_a_dash(self):
        self.assertEqual(self.agent.run("-x").ok["exit_code"], 127)

    def test_gives_a_command_the_environment_of_the_image_and_of_the_request(self):
        os.environ.update(IMAGE_VARIABLE="image", HOSTNAME="engine", TERM="engine")
        self.addCleanup(lambda: [os.environ.pop(name) for name in ("IMAGE_VARIABLE", "HOSTNAME", "TERM")])
        agent = self.open_agent()
        answer = agent.run("env", env={"GIVEN": "a b=c\n'\"$x", "PATH": os.environ["PATH"]})
        self.assertIn(b"GIVEN=a b=c\n'\"$x\n", answer.stdout)
        self.assertIn(b"IMAGE_VARIABLE=image\n", answer.stdout)
        self.assertNotIn(b"HOSTNAME=", answer.stdout)
        self.assertNotIn(b"TERM=", answer.stdout)

    def test_refuses_a_working_directory_when_it_is_missing_or_not_a_directory(self):
        os.mkdir(self.path("a b"))
        self.put("file", "")
        self.assertEqual(self.agent.run("pwd", cwd=self.path("a b")).stdout.decode(), self.path("a b") + "\n")
        for bad in (self.path("missing"), self.path("file"), self.path("a\0b")):
            self.assertEqual(self.agent.run("pwd", cwd=bad).code, "INVALID_WORKING_DIR")

    def test_runs_the_command_in_bash_when_the_request_names_bash(self):
        self.assertEqual(self.agent.run("echo ${BASH_VERSION:+yes}", shell="bash").stdout, b"yes\n")

    def test_refuses_a_shell_when_the_image_lacks_it(self):
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = self.outside
        self.assertEqual(self.open_agent().run("true", shell="bash").code, "SHELL_NOT_AVAILABLE")

    def test_takes_sh_for_bash_or_sh_only_when_the_image_lacks_bash(self):
        which = 'echo "$0 ${BASH_VERSION:+is bash}"'
        self.assertEqual(self.agent.run(which, shell="bash-or-sh").stdout, b"bash is bash\n")
        os.symlink("/bin/dash", os.path.join(self.outside, "sh"))
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = self.outside
        without_bash = self.open_agent()
        self.assertEqual(without_bash.run(which, shell="bash-or-sh").stdout, b"sh \n")
        os.unlink(os.path.join(self.outside, "sh"))
        self.assertEqual(self.open_agent().run(which, shell="bash-or-sh").code, "SHELL_NOT_AVAILABLE")

    def test_gives_binary_output_unchanged(self):
        blob = bytes(range(256)) * 300
        with open(self.path("blob"), "wb") as file:
            file.write(blob)
        self.assertEqual(self.agent.run("cat blob").stdout, blob)

    def test_keeps_the_beginning_and_the_end_when_output_passes_its_limit(self):
        for size in (10, 100, 101, 102, 1000, 300_001):
            data = bytes(i * 7 % 251 for i in range(size))
            with open(self.path("blob"), "wb") as file:
                file.write(data)
            answer = self.agent.run("cat blob; cat blob >&2", max_output=101)
            expected = data if size <= 101 else data[:50] + data[-51:]
            self.assertEqual(answer.stdout, expected, size)
            self.assertEqual(answer.stderr, expected, size)
            omitted = max(0, size - 101)
            self.assertEqual(answer.ok["omitted"], {"stdout": omitted, "stderr": omitted})

    def test_runs_to_the_end_when_a_command_writes_100_megabytes(self):
        answer = self.agent.run("head -c 100000000 /dev/zero; printf end", max_output=1000)
        self.assertEqual(answer.stdout, b"\0" * 997 + b"end")
        self.assertEqual(answer.ok["omitted"]["stdout"], 100_000_003 - 1000)

    def test_runs_a_command_to_its_end_when_its_reader_gives_no_credit(self):
        self.agent.auto_credit = False
        stalled = self.agent.start("head -c 3000000 /dev/zero; touch done", max_output=2 << 20)
        self.eventually(lambda: os.path.exists(self.path("done")))
        answer = self.agent.answers[stalled]
        self.assertEqual(self.agent.run("echo other").stdout, b"other\n")
        self.assertEqual(len(answer.stdout), frames.WINDOW)
        self.assertIsNone(answer.end)
        self.agent.credit(stalled, 4 << 20)
        self.assertEqual(len(self.agent.wait(stalled).stdout), 2 << 20)
        self.assertEqual(answer.ok["omitted"]["stdout"], 3_000_000 - (2 << 20))

    def test_gives_the_command_its_stdin_when_it_is_a_megabyte(self):
        blob = os.urandom(1 << 20)
        request = self.agent.start("cat", stdin=True, max_output=4 << 20)
        self.agent.send_input(request, blob)
        self.assertEqual(self.agent.wait(request).stdout, blob)

    def test_gives_an_empty_stdin_when_the_request_sends_none(self):
        self.assertEqual(self.agent.run("wc -c").stdout.strip(), b"0")

    def test_ends_normally_when_the_command_closes_its_stdin(self):
        request = self.agent.start("exec <&-; sleep 0.2; echo done", stdin=True)
        self.agent.send_input(request, b"x" * (1 << 20))
        self.assertEqual(self.agent.wait(request).stdout, b"done\n")

    def test_asks_for_more_stdin_only_when_the_command_reads_it(self):
        request = self.agent.start("while ! [ -e go ]; do sleep 0.02; done; wc -c", stdin=True)
        self.agent.send(frames.DATA, request, b"x" * frames.WINDOW)
        self.assertEqual(self.agent.run("sleep 0.1; echo other").stdout, b"other\n")
        self.assertLessEqual(self.agent.answers[request].granted, 65536)  # what the pipe holds
        self.put("go", "")
        self.agent.send(frames.EOF, request)
        self.assertEqual(self.agent.wait(request).stdout.strip(), b"%d" % frames.WINDOW)

    def test_runs_two_commands_in_parallel(self):
        # Each waits for the other.
        first = self.agent.start("touch a; while ! [ -e b ]; do sleep 0.01; done")
        second = self.agent.start("touch b; while ! [ -e a ]; do sleep 0.01; done")
        self.assertEqual(self.agent.wait(first).ok["exit_code"], 0)
        self.assertEqual(self.agent.wait(second).ok["exit_code"], 0)

    def test_refuses_a_command_when_64_are_running(self):
        requests = [self.agent.start("while ! [ -e go ]; do sleep 1; done") for _ in range(64)]
        self.assertEqual(self.agent.run("true").code, "TOO_MANY_COMMANDS")
        self.put("go", "")
        for request in requests:
            self.assertEqual(self.agent.wait(request).ok["exit_code"], 0)
        self.assertEqual(self.agent.run("true").ok["exit_code"], 0)

    def test_leaves_no_descriptor_open_when_100_commands_have_run(self):
        self.agent.run("true")
        for _ in range(100):
            self.agent.run("echo x", stdin=True)
        for pid in [self.agent.process.pid, *self.children_of(self.agent.process.pid)]:
            # As root the descriptors of an agent can be looked at; others see it not dumpable.
            if os.geteuid() == 0:
                self.assertLess(len(os.listdir("/proc/%d/fd" % pid)), 12)

    def test_keeps_its_descriptors_closed_to_other_processes_of_the_same_user(self):
        if os.geteuid() == 0:
            self.skipTest("root can open everything")
        answer = self.agent.run("ls /proc/$PPID/fd /proc/%d/fd; cat /proc/$PPID/environ" % self.agent.process.pid)
        self.assertEqual(answer.stdout, b"")
        self.assertEqual(answer.stderr.count(b"ermission denied"), 3)

    def test_answers_with_an_error_and_goes_on_when_a_request_is_bad(self):
        self.assertEqual(self.agent.call("no-such-operation").code, "INTERNAL_ERROR")
        self.assertEqual(self.agent.run("true\0false").code, "INTERNAL_ERROR")
        self.assertEqual(self.agent.run("echo still here").stdout, b"still here\n")


class ChannelTest(AgentTestCase):
    def test_holds_no_epoll_instance_which_sandboxes_would_share(self):
        if os.geteuid() != 0:
            self.skipTest("only root can look at an agent's descriptors")
        for pid in [self.agent.process.pid, *self.children_of(self.agent.process.pid)]:
            links = self.links_of(pid)
            self.assertEqual([link for link in links if "eventpoll" in link], [])

    def test_says_its_protocol_pid_and_python_version_when_it_starts(self):
        self.assertEqual(self.agent.hello["protocol"], 1)
        self.assertEqual(self.agent.hello["pid"], self.agent.process.pid)
        self.assertEqual(self.agent.hello["python"], "%d.%d.%d" % sys.version_info[:3])

    def test_answers_a_ping(self):
        self.agent.send(frames.PING, 0)
        self.agent.pump_until(lambda: self.agent.pongs == 1)

    def test_ignores_a_frame_when_its_request_has_ended(self):
        request = self.agent.start("true")
        self.agent.wait(request)
        for kind in (frames.DATA, frames.EOF, frames.CANCEL, frames.CREDIT):
            self.agent.send(kind, request, b"\0\0\0\1")
        self.assertEqual(self.agent.run("echo ok").stdout, b"ok\n")

    def test_ends_when_a_frame_is_too_large(self):
        self.agent.send_bytes(frames.HEADER.pack(frames.MAX_HOST_PAYLOAD + 1, frames.REQUEST, 1))
        self.assertEqual(self.agent.process.wait(10), 0)

    def test_reads_a_frame_when_it_comes_in_single_bytes(self):
        request = frames.json_frame(frames.REQUEST, 99, {"op": "list", "path": ""})
        self.agent.answers[99] = self.agent.answers[self.agent.start("true")]
        for byte in request:
            self.agent.send_bytes(bytes([byte]))
        self.agent.answers[99] = type(self.agent.answers[99])()
        self.assertEqual(self.agent.wait(99).ok, {"count": 0, "truncated": False, "skipped": 0})

    def test_delivers_all_output_when_the_host_was_slow_to_read(self):
        requests = [self.agent.start("head -c 4000000 /dev/zero", max_output=4 << 20) for _ in range(8)]
        self.eventually(lambda: not self.pids_of("head -c 4000000"))
        for request in requests:
            self.assertEqual(len(self.agent.wait(request).stdout), 4_000_000)
