import os
import signal
import uuid

from harness import AgentTestCase

# Each process starts its successor in a new session, with an empty environment, and ends: no two
# looks see the same pids.
RUNNER = """#!/bin/sh
[ -e "%(stop)s" ] && exit
trap '' TERM INT HUP
setsid env -i "$0" &
"""


# What keeps a processor busy ends by itself after so much CPU time, should the agent not kill it.
BOUND = "ulimit -t 5; "


class TokenTestCase(AgentTestCase):
    """Its commands have `token` in their command lines."""

    def setUp(self):
        super().setUp()
        self.token = uuid.uuid4().hex


class KillTest(TokenTestCase):
    def setUp(self):
        super().setUp()
        self.stop = os.path.join(self.outside, "stop")
        self.addCleanup(self.stop_runners)

    def stop_runners(self):
        with open(self.stop, "w"):
            pass

    def script(self, text):
        path = self.path("script-" + self.token)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def assert_killed(self, command, timeout_ms=400, **settings):
        answer = self.agent.run(command, timeout_ms=timeout_ms, **settings)
        self.assertEqual(self.pids_of(self.token), [])
        self.assertEqual((answer.ok["timed_out"], answer.ok["exit_code"]), (True, 124))
        self.assertEqual(self.agent.run("echo alive").stdout, b"alive\n")
        return answer

    def test_gives_the_output_so_far_when_a_command_times_out(self):
        answer = self.assert_killed("echo before; echo error >&2; sleep 100; : %s" % self.token, timeout_ms=2000)
        self.assertEqual((answer.stdout, answer.stderr), (b"before\n", b"error\n"))

    def test_kills_a_command_at_its_timeout_when_it_is_a_busy_loop(self):
        self.assert_killed(BOUND + "while :; do :; done; : %s" % self.token)

    def test_kills_a_command_at_its_timeout_when_it_ignores_signals(self):
        self.assert_killed("trap '' TERM INT HUP QUIT; sh -c 'while :; do sleep 1; done; : %s'" % self.token)

    def test_kills_processes_at_the_timeout_when_they_left_the_session_and_have_no_environment(self):
        escape = "env -i PATH=\"$PATH\" setsid sh -c '(setsid sh -c \"sleep 1000; : %s\" &) ; exit 0'" % self.token
        self.assert_killed("%s; %s & sleep 100" % (escape, escape))

    def test_kills_children_at_the_timeout_when_they_left_the_session_and_their_shell_waits(self):
        self.assert_killed("(setsid sh -c 'sleep 1000; : %s' >/dev/null 2>&1 &); sleep 100" % self.token)

    def test_kills_processes_at_the_timeout_when_they_are_stopped(self):
        self.assert_killed("sh -c 'kill -STOP $$; : %s' & sh -c 'kill -STOP $$; : %s'" % (self.token, self.token))

    def test_kills_processes_at_the_timeout_when_they_wake_each_other(self):
        waker = "while :; do kill -CONT -1 2>/dev/null; done; : %s" % self.token
        if os.geteuid() == 0:
            waker = "while :; do kill -CONT 0; done; : %s" % self.token
        self.assert_killed(BOUND + "sh -c '%s' & sh -c '%s' & sleep 100" % (waker, waker))

    def test_kills_processes_at_the_timeout_when_each_quickly_starts_a_successor(self):
        runner = self.script(RUNNER % {"stop": self.stop})
        self.assert_killed("for i in 1 2 3 4 5 6 7 8; do %s; done; sleep 100" % runner)

    def test_kills_all_processes_at_the_timeout_when_a_command_forks_again_and_again(self):
        # Of 42 processes: each starts four, to a depth of two.
        start = 'n=$1\n[ ${#n} -lt 2 ] && for i in 1 2 3 4; do setsid "$0" "$n$i" & done\n'
        bomb = self.script("#!/bin/sh\n" + BOUND + start + "while :; do :; done\n")
        self.assert_killed("%s '' & %s ''" % (bomb, bomb))

    def test_kills_a_command_at_its_timeout_when_its_shell_waits_for_a_child(self):
        self.assert_killed("sleep 1000 & wait; : %s" % self.token)

    def test_ends_a_command_at_its_timeout_when_other_processes_read_its_output(self):
        steal = "exec 3</proc/self/fd/1; for i in 1 2 3; do cat <&3 >/dev/null & done; sleep 0.2; echo x; echo x >&2; sleep 1000; : %s"
        requests = [self.agent.start(steal % self.token, timeout_ms=800) for _ in range(12)]
        self.assertEqual([self.agent.wait(each).end.get("ok", {}).get("timed_out") for each in requests], [True] * 12)
        self.assertEqual(self.pids_of(self.token), [])

    def test_kills_all_processes_of_a_command_when_it_is_cancelled(self):
        request = self.agent.start("setsid sh -c 'sleep 1000; : %s' & sleep 100" % self.token)
        self.eventually(lambda: len(self.pids_of(self.token)) > 0)
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")
        self.assertEqual(self.pids_of(self.token), [])

    def test_ends_a_cancelled_command_when_its_output_waits_for_credit(self):
        self.agent.auto_credit = False
        request = self.agent.start("head -c 1000000 /dev/zero; touch done")
        self.eventually(lambda: os.path.exists(self.path("done")))
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")

    def test_lets_other_commands_run_on_when_one_is_cancelled(self):
        other = self.agent.start("while ! [ -e go ]; do sleep 0.02; done; echo done")
        request = self.agent.start("sleep 100")
        self.agent.cancel(request)
        self.agent.wait(request)
        self.put("go", "")
        self.assertEqual(self.agent.wait(other).stdout, b"done\n")

    def test_kills_running_commands_and_workers_when_the_channel_ends(self):
        agent = self.open_agent()
        agent.start("setsid sh -c 'sleep 1000; : %s' & sleep 100" % self.token)
        self.eventually(lambda: len(self.pids_of(self.token)) > 0)
        workers = self.children_of(agent.process.pid)
        agent.hang_up()
        self.assertEqual(agent.process.wait(10), 0)
        self.eventually(lambda: self.pids_of(self.token) == [])
        self.eventually(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in workers))

    def test_kills_running_commands_when_the_agent_is_killed(self):
        agent = self.open_agent()
        agent.start("setsid sh -c 'sleep 1000; : %s' & sleep 100" % self.token)
        self.eventually(lambda: len(self.pids_of(self.token)) > 0)
        agent.process.kill()
        self.eventually(lambda: self.pids_of(self.token) == [])


class LostWorkerTest(TokenTestCase):
    def test_kills_the_processes_of_a_command_and_goes_on_when_its_worker_is_killed(self):
        request = self.agent.start("setsid sh -c 'sleep 1000; : %s' & sleep 0.1; kill -9 $PPID; sleep 1000; : %s" % (self.token, self.token))
        self.assertEqual(self.agent.wait(request).code, "SANDBOX_LOST")
        self.eventually(lambda: self.pids_of(self.token) == [])
        self.assertEqual(self.agent.run("echo alive").stdout, b"alive\n")

    def test_lets_other_commands_run_on_when_a_worker_is_killed(self):
        other = self.agent.start("while ! [ -e go ]; do sleep 0.02; done; echo done")
        self.assertEqual(self.agent.run("kill -9 $PPID; sleep 100").code, "SANDBOX_LOST")
        self.put("go", "")
        self.assertEqual(self.agent.wait(other).stdout, b"done\n")

    def test_answers_sandbox_lost_at_the_timeout_when_the_worker_is_stopped(self):
        answer = self.agent.run("kill -STOP $PPID; sleep 1000; : %s" % self.token, timeout_ms=100)
        self.assertEqual(answer.code, "SANDBOX_LOST")
        self.eventually(lambda: self.pids_of(self.token) == [])

    def test_answers_sandbox_lost_when_a_command_is_cancelled_whose_worker_is_stopped(self):
        request = self.agent.start("kill -STOP $PPID; touch there; sleep 1000; : %s" % self.token)
        self.eventually(lambda: os.path.exists(self.path("there")))
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "SANDBOX_LOST")
        self.eventually(lambda: self.pids_of(self.token) == [])

    def test_replaces_idle_workers_when_they_are_killed(self):
        self.agent.run("true")
        killed = self.children_of(self.agent.process.pid)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: {*self.children_of(self.agent.process.pid)} - {*killed})
        self.eventually(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in killed))
        self.assertEqual(self.agent.run("echo alive").stdout, b"alive\n")

    def test_lives_on_when_it_gets_signals_that_can_be_ignored(self):
        self.agent.run("true")
        for pid in [self.agent.process.pid, *self.children_of(self.agent.process.pid)]:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE):
                os.kill(pid, number)
        self.assertEqual(self.agent.run("echo alive").stdout, b"alive\n")
