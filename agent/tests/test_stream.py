import os
import time

from harness import AgentTestCase, frames


class StreamTest(AgentTestCase):
    """exec without max_output: every byte, as it comes."""

    def start(self, command, **settings):
        return self.agent.start(command, max_output=None, **settings)

    def test_gives_every_byte_in_order_when_output_is_far_larger_than_the_usual_limit(self):
        answer = self.agent.wait(self.start("seq 1 600000; seq 1 100000 >&2"))
        self.assertEqual(answer.stdout, b"".join(b"%d\n" % number for number in range(1, 600001)))
        self.assertEqual(answer.stderr, b"".join(b"%d\n" % number for number in range(1, 100001)))
        self.assertEqual(answer.ok["omitted"], {"stdout": 0, "stderr": 0})

    def test_gives_output_while_the_command_runs_when_it_has_no_newline(self):
        self.put("go", "")
        os.unlink(self.path("go"))
        request = self.start("printf first; until [ -e go ]; do sleep 0.02; done; printf second")
        answer = self.agent.answers[request]
        self.agent.pump_until(lambda: answer.stdout == b"first")
        self.assertIsNone(answer.end)
        self.put("go", "")
        self.assertEqual(self.agent.wait(request).stdout, b"firstsecond")

    def test_pauses_only_the_command_whose_reader_gives_no_credit(self):
        self.agent.auto_credit = False
        request = self.start("i=0; while :; do i=$((i+1)); echo $i > written; printf '%01000d' 0; done", timeout_ms=60000)
        answer = self.agent.answers[request]
        self.agent.pump_until(lambda: len(answer.stdout) == frames.WINDOW)

        def written():
            with open(self.path("written")) as file:
                return int(file.read() or 0)

        def stands_still():
            before = written()
            time.sleep(0.3)
            return before > 0 and written() == before

        self.eventually(stands_still, "the command goes on writing")
        # The window, what the agent holds, and a pipe.
        self.assertLess(written() * 1000, frames.WINDOW + (64 << 10) * 4)
        self.assertEqual(self.agent.run("echo fine").stdout, b"fine\n")
        before = written()
        self.agent.credit(request, frames.WINDOW)
        self.agent.pump_until(lambda: len(answer.stdout) == 2 * frames.WINDOW)
        self.eventually(lambda: written() > before, "the command does not go on")
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")

    def test_ends_a_command_at_its_timeout_when_it_waits_for_its_reader(self):
        self.agent.auto_credit = False
        request = self.start("yes never-read", timeout_ms=500)
        answer = self.agent.answers[request]
        self.agent.pump_until(lambda: len(answer.stdout) == frames.WINDOW)
        self.eventually(lambda: not self.pids_of("never-read"), "it lives")
        self.agent.auto_credit = True
        self.agent.credit(request, frames.WINDOW)
        ok = self.agent.wait(request).ok
        self.assertEqual((ok["timed_out"], ok["exit_code"]), (True, 124))

    def test_gives_what_the_pipe_still_holds_when_the_command_has_ended(self):
        self.agent.auto_credit = False
        request = self.start("head -c 300000 /dev/zero | tr '\\0' a; printf end")
        answer = self.agent.answers[request]
        self.agent.pump_until(lambda: len(answer.stdout) == frames.WINDOW)
        self.agent.auto_credit = True
        self.agent.credit(request, frames.WINDOW)
        self.assertEqual(self.agent.wait(request).stdout, b"a" * 300000 + b"end")
