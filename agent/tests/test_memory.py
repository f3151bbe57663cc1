import os

from harness import AgentTestCase

from processes import oom_kills

VERSION_1 = "oom_kill_disable 0\nunder_oom 0\noom_kill %d\n"
VERSION_2 = "low 0\nhigh 0\nmax 31\noom 7\noom_kill %d\noom_group_kill 0\n"


class KillsTest(AgentTestCase):
    """The kernel's own files stand in a directory that nobody can write to: here another stands for them."""

    def count(self, text):
        fd = os.open(self.put("counter", text), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.addCleanup(setattr, oom_kills, "_fd", oom_kills._fd)
        oom_kills._fd = fd
        return oom_kills.count()

    def test_reads_the_count_of_kills_from_either_version_of_cgroups(self):
        for text in (VERSION_1, VERSION_2):
            for kills in (0, 3, 1234567890123):
                self.assertEqual(self.count(text % kills), kills, text)

    def test_counts_no_kill_when_the_kernel_gives_no_count(self):
        for text in ("", "low 0\nhigh 0\n", "under_oom 0\noom_kill\n", "under_oom 0\noom_kill x\n"):
            self.assertEqual(self.count(text), 0, text)
        oom_kills._fd = None
        self.assertEqual(oom_kills.count(), 0)


class OomKilledTest(AgentTestCase):
    def setUp(self):
        super().setUp()
        self.counter = self.put("memory.events", VERSION_2 % 4)
        self.agent = self.open_agent(self.counter)
        # What the kernel does, but for the process that it kills.
        self.kill = "printf '%s' > %s" % ((VERSION_2 % 5).replace("\n", "\\n"), self.counter)

    def test_reports_an_out_of_memory_kill_only_for_the_command_during_which_it_happened(self):
        self.assertIs(self.agent.run("true").ok["oom_killed"], False)
        self.assertIs(self.agent.run(self.kill).ok["oom_killed"], True)
        self.assertIs(self.agent.run("true").ok["oom_killed"], False)

    def test_reports_an_out_of_memory_kill_when_the_command_also_timed_out(self):
        answer = self.agent.run(self.kill + "; sleep 60", timeout_ms=2500)
        self.assertEqual((answer.ok["timed_out"], answer.ok["oom_killed"]), (True, True))

    def test_names_memory_as_the_reason_when_the_worker_was_killed_for_it(self):
        # Time for the router, which counts when it has passed a request on.
        lost = self.agent.run("sleep 0.5; %s; kill -9 $PPID" % self.kill)
        self.assertEqual((lost.code, lost.end["error"]["detail"].count("ran out of memory")), ("SANDBOX_LOST", 1))
        lost = self.agent.run("kill -9 $PPID")
        self.assertEqual((lost.code, lost.end["error"]["detail"].count("memory")), ("SANDBOX_LOST", 0))

    def test_reports_an_out_of_memory_kill_of_a_job_while_it_runs_and_when_it_has_ended(self):
        job_id = "%032x" % 7
        go = self.path("go")
        command = "while [ ! -e %s ]; do sleep 0.01; done; %s; while [ -e %s ]; do sleep 0.01; done" % (go, self.kill, go)
        request = {"shell": "sh", "cwd": self.root, "env": {}, "timeout_ms": 60000, "max_output": 1 << 20}
        self.agent.call("job_start", job_id=job_id, command=command, stdin=False, open_stdin=False, **request)
        self.addCleanup(self.agent.call, "job_delete", job_id=job_id)

        def said():
            ok = self.agent.call("job_stat", job_id=job_id).ok
            return ok["state"], ok["oom_killed"]

        self.assertEqual(said(), ("running", False))
        self.put("go", "")
        self.eventually(lambda: said() == ("running", True))
        os.remove(go)
        self.eventually(lambda: said() == ("exited", True))
        # What comes after its end is not its own.
        self.put("memory.events", VERSION_2 % 4)
        self.assertEqual(said(), ("exited", True))
