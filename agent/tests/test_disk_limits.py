"""What the agent does by the word of PID 1 on the disk. Files of the test stand for /proc/1."""

import os
import threading
import time
import unittest

import tars
from harness import AgentTestCase

MIB = 1 << 20


class DiskLimitsTest(AgentTestCase):
    def setUp(self):
        super().setUp()
        self.init = os.path.join(self.base, "init") + "/"
        os.mkdir(self.init)
        self.say("python3\0-c\0x\0sandbox-disk\0" + "1000\0" + "10\0", "cmdline")
        self.say("d3/100\n")
        self.agent = self.open_watched()

    def open_watched(self):
        """An agent to which a directory is /proc/1/. A signal to PID 1 is a byte in a file there."""
        told = ("processes.disk_limits", "os.kill(1, signal.SIGUSR1)", 'open(_INIT + "told", "a").write("x")')
        asked = ("processes.disk_limits", "os.kill(1, signal.SIGUSR2)", 'open(_INIT + "asked", "a").write("x")')
        return self.open_agent(changes=[("processes.disk_limits", '"/proc/1/"', repr(self.init)), told, asked])

    def say(self, text, name="comm"):
        # In one write of one length, so that the agent never reads half of it.
        with open(self.init + name, "r+" if os.path.exists(self.init + name) else "w") as file:
            file.write(text.ljust(32, "\n"))

    def told(self, name="told"):
        try:
            return os.path.getsize(self.init + name)
        except FileNotFoundError:
            return 0

    def say_when_asked(self, times, text):
        self.eventually(lambda: self.told("asked") == times)
        self.say(text)

    def write(self, name, size, max_size=0):
        return self.agent.write(name, b"x" * size, max_size)

    def test_reports_the_disk_only_for_the_command_during_which_commands_were_ended(self):
        end = "printf 'd4/-1\\n' > %scomm" % self.init
        self.assertIs(self.agent.run("true").ok["disk_limit"], False)
        self.assertIs(self.agent.run(end).ok["disk_limit"], True)
        self.assertIs(self.agent.run("true").ok["disk_limit"], False)

    def test_reports_it_of_a_job_while_it_runs_and_when_it_has_ended(self):
        job_id = "%032x" % 9
        request = {"shell": "sh", "cwd": self.root, "env": {}, "timeout_ms": 60000, "max_output": 1 << 20}
        command = "while [ ! -e go ]; do sleep 0.01; done"
        self.agent.call("job_start", job_id=job_id, command=command, stdin=False, open_stdin=False, **request)
        self.addCleanup(self.agent.call, "job_delete", job_id=job_id)

        def stat():
            ok = self.agent.call("job_stat", job_id=job_id).ok
            return ok["state"], ok["disk_limit"]

        self.assertEqual(stat(), ("running", False))
        self.say("d4/5\n")
        self.assertEqual(stat(), ("running", True))
        self.put("go", "")
        self.eventually(lambda: stat() == ("exited", True))
        self.say("d3/5\n")
        self.assertEqual(stat(), ("exited", True))

    def test_reports_nothing_before_pid_1_has_taken_its_name(self):
        self.say("python3\n")
        self.assertIs(self.agent.run("true").ok["disk_limit"], False)
        self.assertEqual(self.write("file", 10).ok["size"], 10)
        for name, reached in (("d0/9", False), ("d1/-1", True)):
            self.say("python3\n")
            self.assertIs(self.agent.run("echo %s > %scomm" % (name, self.init)).ok["disk_limit"], reached)

    def test_tells_pid_1_of_commands_and_of_changes_of_files_alone(self):
        before = self.told()
        self.agent.run("true")
        self.assertEqual(self.told(), before + 1)
        self.write("file", 10)
        self.agent.call("mkdir", path="d")
        self.agent.call("delete", path="file")
        self.assertEqual(self.told(), before + 4)
        self.agent.call("list", path="", depth=1, limit=0)
        self.agent.call("stat", path="d")
        self.assertEqual(self.told(), before + 4)

    def test_refuses_to_write_past_what_is_free_and_leaves_nothing_behind(self):
        self.say("d0/1\n")
        self.assertEqual(self.write("small", MIB).ok["size"], MIB)
        for max_size in (0, 4 * MIB):
            self.assertEqual(self.write("large", MIB + 1, max_size).code, "STORAGE_FULL")
        self.assertEqual(os.listdir(self.root), ["small"])

    def test_refuses_to_write_when_the_disk_is_full_and_lets_files_be_deleted(self):
        self.write("file", 10)
        for free in ("0", "-5", "x"):
            self.say("d0/%s\n" % free)
            for answer in (
                self.write("file", 0),
                self.agent.call("mkdir", path="d"),
                self.agent.edit("file", [("xxxxxxxxxx", "y")]),
            ):
                self.assertEqual(answer.code, "STORAGE_FULL")
        self.assertEqual(self.agent.call("delete", path="file").ok, {})
        self.assertEqual(os.listdir(self.root), [])

    def test_has_the_disk_measured_before_it_refuses_and_goes_on_when_files_are_gone(self):
        for before, size, after in (("0", 1, "1"), ("x", 1, "1"), ("1", 3 * MIB, "2")):
            with self.subTest(before=before):
                self.say("d0/%s\n" % before)
                asked = self.told("asked") + 1
                measure = threading.Thread(target=self.say_when_asked, args=(asked, "d0/%s\n" % after))
                measure.start()
                self.assertEqual(self.write("file", size).ok["size"], size)
                measure.join()

    def test_waits_for_another_measurement_when_one_began_before_files_were_gone(self):
        self.say("d0/1\n")
        asked = self.told("asked") + 1

        def measure():
            for free in ("d0/0\n", "d0/3\n"):
                self.say_when_asked(asked, free)
                time.sleep(0.2)

        measuring = threading.Thread(target=measure)
        measuring.start()
        self.assertEqual(self.write("file", 3 * MIB).ok["size"], 3 * MIB)
        measuring.join()

    def test_goes_by_what_was_measured_since_a_call_began(self):
        self.say("d0/1\n")
        request_id = self.agent.open(op="write", path="file", max_size=0)
        self.eventually(lambda: any(name.startswith(".sandbox-tmp-") for name in os.listdir(self.root)))
        self.say("d0/2\n")
        self.agent.send_input(request_id, b"x" * (2 * MIB))
        self.assertEqual(self.agent.wait(request_id).ok["size"], 2 * MIB)
        self.assertEqual(self.told("asked"), 0)

    def test_refuses_an_archive_that_does_not_fit_and_leaves_nothing_behind(self):
        self.say("d0/1\n")
        packed = tars.archive(tars.entry(b"a", b"x" * MIB), tars.entry(b"b", b"x"))
        request_id = self.agent.open(op="unpack", path="", max_size=1 << 30, max_entries=100)
        self.agent.send_input(request_id, packed)
        self.assertEqual(self.agent.wait(request_id).code, "STORAGE_FULL")
        self.assertEqual(os.listdir(self.root), [])

    def test_gives_a_large_file_a_name_at_once_so_that_pid_1_sees_it(self):
        request_id = self.agent.open(op="write", path="file", max_size=0)
        self.eventually(lambda: any(name.startswith(".sandbox-tmp-") for name in os.listdir(self.root)))
        self.agent.send_input(request_id, b"x")
        self.assertEqual(self.agent.wait(request_id).ok["size"], 1)
        self.assertEqual(os.listdir(self.root), ["file"])

    def test_runs_no_command_at_twice_the_limit_and_runs_them_past_it(self):
        self.say("d0/-5\n")
        self.assertEqual(self.agent.run("echo on").stdout, b"on\n")
        self.say("d0/x\n")
        refused = self.agent.run("echo on")
        self.assertEqual((refused.code, refused.end["error"]["detail"].count("delete files")), ("STORAGE_FULL", 1))
        self.say("d0/5\n")
        self.assertEqual(self.agent.run("echo on").stdout, b"on\n")

    def test_tells_nobody_when_pid_1_does_not_watch_the_disk(self):
        self.say("sh\0-c\0x\0", "cmdline")
        self.say("d0/x\n")
        agent = self.open_watched()
        before = self.told()
        self.assertIs(agent.run("true").ok["disk_limit"], False)
        self.assertEqual(self.told(), before)


class TemporaryDirectoryTest(AgentTestCase):
    def test_makes_the_directory_that_the_environment_names(self):
        os.environ["TMPDIR"] = self.path(".tmp")
        self.addCleanup(os.environ.pop, "TMPDIR")
        agent = self.open_agent()
        for _ in range(2):
            self.assertEqual(agent.run("mktemp -d | xargs rmdir && stat -c %a $TMPDIR").stdout, b"700\n")
        agent.run("rmdir $TMPDIR && echo x > $TMPDIR")
        self.assertEqual(agent.run("cat $TMPDIR").stdout, b"x\n")


if __name__ == "__main__":
    unittest.main()
