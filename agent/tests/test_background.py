import os
import signal
import uuid

from harness import AgentTestCase

from processes import killing


class BackgroundTest(AgentTestCase):
    """What a command that has ended left running."""

    def setUp(self):
        super().setUp()
        self.token = uuid.uuid4().hex
        self.addCleanup(self.kill_rest)

    def kill_rest(self):
        for pid in self.pids_of(self.token):
            killing.kill_descendants(pid)
            killing.kill(pid)

    def assert_lives(self):
        # A process in the middle of an exec shows an empty command line.
        self.eventually(lambda: self.pids_of(self.token))

    def assert_ends(self, pid):
        self.eventually(lambda: not os.path.exists("/proc/%d" % pid))

    def start_background(self, agent, body):
        """Runs a command that leaves `body` running, and returns its worker's pid."""
        answer = agent.run("echo $PPID; sh -c '%s; : %s' &" % (body, self.token))
        self.assertEqual(answer.ok["exit_code"], 0)
        return int(answer.stdout.split()[0])

    def test_ends_a_command_when_its_background_child_holds_the_pipe(self):
        self.start_background(self.agent, "while :; do sleep 0.1; done")
        self.assert_lives()

    def test_ends_a_command_when_its_background_child_goes_on_writing(self):
        answer = self.agent.run("yes %s & sleep 0.2; echo done >&2" % self.token)
        self.assertEqual(answer.stderr, b"done\n")
        self.assertFalse(answer.ok["timed_out"])

    def test_lets_a_background_child_live_and_write_when_its_command_has_ended(self):
        worker = self.start_background(self.agent, "while ! [ -e go ]; do echo noise; sleep 0.02; done; head -c 3000000 /dev/zero && touch written")
        self.assertEqual(self.agent.run("echo other").stdout, b"other\n")
        self.put("go", "")
        self.eventually(lambda: os.path.exists(self.path("written")))
        self.assert_ends(worker)

    def test_renames_the_worker_when_its_command_leaves_a_background_child(self):
        worker = self.start_background(self.agent, "sleep 1000")
        with open("/proc/%d/comm" % worker) as file:
            self.assertEqual(file.read(), "sandbox-bg\n")

    def test_keeps_a_background_child_when_later_commands_are_killed(self):
        self.start_background(self.agent, "while :; do sleep 0.1; done")
        self.assertTrue(self.agent.run("setsid sleep 100 & sleep 100", timeout_ms=200).ok["timed_out"])
        request = self.agent.start("sleep 100")
        self.agent.cancel(request)
        self.agent.wait(request)
        self.assertEqual(self.agent.run("kill -9 $PPID; sleep 100").code, "SANDBOX_LOST")
        self.assert_lives()

    def test_keeps_a_background_child_when_the_channel_ends(self):
        agent = self.open_agent()
        worker = self.start_background(agent, "while ! [ -e go ]; do echo noise; sleep 0.02; done; touch gone")
        agent.hang_up()
        agent.process.wait(10)
        self.assert_lives()
        self.put("go", "")
        self.eventually(lambda: os.path.exists(self.path("gone")))
        self.assert_ends(worker)

    def test_kills_running_commands_at_the_end_of_the_channel_when_a_background_child_is_left(self):
        agent = self.open_agent()
        agent.start("touch there; sleep 1000; : foreground-%s" % self.token[::-1])
        self.eventually(lambda: os.path.exists(self.path("there")))
        agent.run("true")  # so that the next worker is one that was started since
        self.start_background(agent, "while :; do sleep 0.1; done")
        agent.hang_up()
        self.eventually(lambda: not self.pids_of("foreground-%s" % self.token[::-1]))
        self.assert_lives()

    def test_closes_the_channel_from_its_side_when_a_background_child_is_left(self):
        agent = self.open_agent()
        self.start_background(agent, "sleep 1000")
        agent.hang_up()
        self.assertEqual(agent.read_rest(), b"")

    def test_keeps_a_background_child_when_the_agent_is_killed(self):
        agent = self.open_agent()
        self.start_background(agent, "while :; do sleep 0.1; done")
        agent.process.kill()
        agent.process.wait()
        self.assertEqual(self.open_agent().run("echo alive").stdout, b"alive\n")
        self.assert_lives()

    def test_kills_a_background_child_when_its_worker_is_killed(self):
        worker = self.start_background(self.agent, "while :; do sleep 0.1; done")
        os.kill(worker, signal.SIGKILL)
        self.eventually(lambda: self.pids_of(self.token) == [])

    def test_runs_commands_when_more_than_64_background_children_live(self):
        for _ in range(70):
            self.assertEqual(self.agent.run("sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >> pids").ok["exit_code"], 0)
        self.assertEqual(self.agent.run("echo other").stdout, b"other\n")
        self.agent.run("kill $(cat pids)")
        self.eventually(lambda: len(self.children_of(self.agent.process.pid)) <= 3)

    def test_delivers_output_that_waits_for_credit_but_none_written_after_the_command_ended(self):
        self.agent.auto_credit = False
        background = "while ! [ -e go ]; do sleep 0.02; done; echo noise; touch written; while :; do sleep 0.1; done"
        shell = "shell-%s" % self.token[::-1]
        request = self.agent.start("head -c 500000 /dev/zero; sh -c '%s; : %s' & touch done; : %s" % (background, self.token, shell))
        self.eventually(lambda: os.path.exists(self.path("done")) and not self.pids_of(shell))
        self.put("go", "")
        self.eventually(lambda: os.path.exists(self.path("written")))
        self.agent.credit(request, 1 << 20)
        self.assertEqual(self.agent.wait(request).stdout, b"\0" * 500_000)
        self.assert_lives()
