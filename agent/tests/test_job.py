import json
import os
import secrets
import signal
import socket
import time

from harness import AgentTestCase, frames, processes


class JobTest(AgentTestCase):
    def start(self, command, stdin=None, **settings):
        """The new job's id."""
        job_id = secrets.token_hex(16)
        answer = self.start_as(job_id, command, stdin, **settings)
        self.assertEqual(answer.ok, {})
        return job_id

    def start_as(self, job_id, command, stdin=None, **settings):
        request = {"shell": "sh", "cwd": self.root, "env": {}, "timeout_ms": 60000, "max_output": 1 << 20, "open_stdin": False}
        request.update(settings)
        request_id = self.agent.open(op="job_start", job_id=job_id, command=command, stdin=stdin is not None, **request)
        if stdin is not None:
            self.agent.send_input(request_id, stdin)
        answer = self.agent.wait(request_id)
        self.addCleanup(lambda: self.open_agent().call("job_delete", job_id=job_id))
        return answer

    def stat(self, job_id):
        return self.agent.call("job_stat", job_id=job_id).ok

    def ended(self, job_id):
        self.eventually(lambda: self.stat(job_id)["state"] != "running", "the job does not end")
        return self.stat(job_id)

    def output(self, job_id, offsets=None, limit=1 << 20, wait_ms=0, agent=None):
        return (agent or self.agent).call("job_output", job_id=job_id, offsets=offsets or {"stdout": 0}, limit=limit, wait_ms=wait_ms)

    def listed(self):
        return [json.loads(line) for line in self.agent.call("job_list").stdout.splitlines()]

    def test_runs_on_after_its_call_and_keeps_output_and_end(self):
        job_id = self.start("echo out; echo err >&2; until [ -e go ]; do sleep 0.02; done; echo more; exit 3")
        self.eventually(lambda: self.stat(job_id)["stderr_bytes"] == 4)
        stat = self.stat(job_id)
        self.assertEqual((stat["state"], stat["exit_code"], stat["ended_at"], stat["stdout_bytes"]), ("running", None, None, 4))
        self.put("go", "")
        stat = self.ended(job_id)
        self.assertEqual((stat["state"], stat["exit_code"], stat["signal"], stat["stdout_bytes"]), ("exited", 3, None, 9))
        self.assertLessEqual(stat["started_at"], stat["ended_at"])
        answer = self.output(job_id, {"stdout": 0, "stderr": 0})
        self.assertEqual((answer.stdout, answer.stderr), (b"out\nmore\n", b"err\n"))
        self.assertEqual(answer.ok["stdout"], {"offset": 0, "next_offset": 9, "gap": 0, "eof": True})

    def test_output_is_read_by_offset(self):
        job_id = self.start("printf 0123456789")
        self.ended(job_id)
        answer = self.output(job_id, {"stdout": 3}, limit=4)
        self.assertEqual((answer.stdout, answer.ok["stdout"]), (b"3456", {"offset": 3, "next_offset": 7, "gap": 0, "eof": False}))
        self.assertEqual(self.output(job_id, {"stdout": 10}).ok["stdout"]["eof"], True)
        self.assertEqual(self.output(job_id, {"stdout": 11}).code, "RANGE_NOT_SATISFIABLE")

    def test_the_oldest_output_goes_and_the_command_never_waits(self):
        job_id = self.start("seq 1 200000; echo end >&2", max_output=100000)
        self.assertEqual(self.ended(job_id)["exit_code"], 0)
        whole = b"".join(b"%d\n" % number for number in range(1, 200001))
        answer = self.output(job_id, {"stdout": 0, "stderr": 0})
        ok = answer.ok["stdout"]
        self.assertEqual(ok["gap"], ok["offset"])
        self.assertGreater(ok["gap"], 0)
        self.assertEqual(ok["next_offset"], len(whole))
        self.assertEqual(answer.stdout, whole[ok["offset"] :])
        self.assertEqual(len(answer.stdout) + len(answer.stderr), 100000)
        self.assertEqual(answer.stderr, b"end\n")

    def test_a_reader_waits_for_news(self):
        job_id = self.start("until [ -e go ]; do sleep 0.02; done; printf news; until [ -e stop ]; do sleep 0.02; done")
        request = self.agent.open(op="job_output", job_id=job_id, offsets={"stdout": 0}, limit=100, wait_ms=60000)
        time.sleep(0.1)
        self.assertIsNone(self.agent.answers[request].end)
        self.put("go", "")
        self.assertEqual(self.agent.wait(request).stdout, b"news")
        request = self.agent.open(op="job_output", job_id=job_id, offsets={"stdout": 4}, limit=100, wait_ms=60000)
        self.put("stop", "")
        self.assertEqual(self.agent.wait(request).ok["stdout"]["eof"], True)
        self.assertEqual(self.output(self.start("sleep 20"), wait_ms=50).stdout, b"")

    def test_a_reader_that_waits_can_be_cancelled(self):
        job_id = self.start("sleep 20")
        request = self.agent.open(op="job_output", job_id=job_id, offsets={"stdout": 0}, limit=100, wait_ms=60000)
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")
        self.assertEqual(self.stat(job_id)["state"], "running")

    def test_input_at_the_start_and_later(self):
        self.assertEqual(self.output(self.start("cat", stdin=b"x" * 300000), wait_ms=60000).ok["stdout"]["gap"], 0)
        job_id = self.start("cat", stdin=b"one ", open_stdin=True)
        self.write_input(job_id, b"two ")
        self.write_input(job_id, b"three", eof=True)
        self.assertEqual(self.ended(job_id)["exit_code"], 0)
        self.assertEqual(self.output(job_id).stdout, b"one two three")
        self.assertEqual(self.write_input(job_id, b"x").code, "JOB_STDIN_CLOSED")

    def write_input(self, job_id, data, eof=False):
        request = self.agent.open(op="job_stdin", job_id=job_id, eof=eof)
        self.agent.send_input(request, data)
        return self.agent.wait(request)

    def test_input_that_is_not_read_is_bounded(self):
        job_id = self.start("sleep 20", open_stdin=True)
        self.write_input(job_id, b"x" * (1 << 20)).ok
        self.assertEqual(self.write_input(job_id, b"x" * (1 << 20)).code, "JOB_STDIN_FULL")
        self.assertEqual(self.write_input(self.start("sleep 20"), b"x").code, "JOB_STDIN_CLOSED")

    def test_signals(self):
        job_id = self.start("trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.02; done")
        self.output(job_id, wait_ms=60000)
        self.assertEqual(self.agent.call("job_signal", job_id=job_id, signal=signal.SIGTERM).ok, {})
        self.assertEqual(self.ended(job_id)["exit_code"], 9)
        self.assertEqual(self.agent.call("job_signal", job_id=job_id, signal=signal.SIGTERM).code, "JOB_ENDED")
        job_id = self.start("sleep 20")
        self.agent.call("job_signal", job_id=job_id, signal=signal.SIGKILL)
        stat = self.ended(job_id)
        self.assertEqual((stat["state"], stat["exit_code"], stat["signal"]), ("killed", 137, 9))

    def test_its_time_ends_it_with_all_it_started(self):
        job_id = self.start("setsid sleep 61.5 & echo x; trap '' TERM; sleep 61.5", timeout_ms=300)
        stat = self.ended(job_id)
        self.assertEqual((stat["state"], stat["exit_code"]), ("timed_out", 124))
        self.assertEqual(self.pids_of("61.5"), [])
        self.assertEqual(self.output(job_id).stdout, b"x\n")

    def test_deleting_kills_its_tree_and_forgets_it(self):
        job_id = self.start("setsid sleep 62.5 & (trap '' TERM; sleep 62.5) & sleep 62.5")
        self.eventually(lambda: len(self.pids_of("62.5")) >= 3)
        self.assertEqual(self.agent.call("job_delete", job_id=job_id).ok, {})
        self.assertEqual(self.pids_of("62.5"), [])
        self.assertNotIn(job_id, [each["job_id"] for each in self.listed()])
        for op in ("job_stat", "job_delete"):
            self.assertEqual(self.agent.call(op, job_id=job_id).code, "JOB_NOT_FOUND")

    def test_survives_its_agent_and_answers_another(self):
        job_id = self.start("until [ -e go ]; do sleep 0.02; done; echo done")
        other = self.open_agent()
        self.agent.close()
        self.agent = other
        self.assertIn(job_id, [each["job_id"] for each in self.listed()])
        self.put("go", "")
        self.assertEqual(self.ended(job_id)["exit_code"], 0)
        self.assertEqual(self.output(job_id).stdout, b"done\n")
        self.assertEqual(self.agent.call("job_delete", job_id=job_id).ok, {})

    def test_a_keeper_that_was_stopped_goes_on(self):
        job_id = self.start("echo x; sleep 20")
        for pid in self.keepers():
            os.kill(pid, signal.SIGSTOP)
        self.assertEqual(self.stat(job_id)["state"], "running")
        for pid in self.keepers():
            os.kill(pid, signal.SIGSTOP)
        self.assertEqual(self.agent.call("job_delete", job_id=job_id).ok, {})

    def keepers(self):
        return [pid for pid in processes.snapshot() if processes.comm(pid) == processes.BACKGROUND_NAME]

    def test_who_speaks_nonsense_to_a_keeper_is_hung_up_on(self):
        job_id = self.start("sleep 20")
        nonsense = [b"x" * 100, b"\xff" * 9, frames.json_frame(frames.REQUEST, 0, {"op": "nothing"}) + frames.frame(frames.EOF, 0)]
        nonsense += [frames.json_frame(frames.REQUEST, 0, []) + frames.frame(frames.EOF, 0)]
        for data in nonsense:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(b"\0sandbox-job-" + job_id.encode())
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(client.recv(100), b"")
        idle = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for client in idle:
            self.addCleanup(client.close)
            client.connect(b"\0sandbox-job-" + job_id.encode())
        for client in idle:
            client.close()
        self.eventually(lambda: self.agent.call("job_stat", job_id=job_id).end.get("ok"))

    def test_what_cannot_start_leaves_nothing(self):
        before = len(self.keepers())
        job_id = secrets.token_hex(16)
        self.assertEqual(self.start_as(job_id, "true", cwd=self.path("missing")).code, "INVALID_WORKING_DIR")
        self.assertEqual(self.agent.call("job_stat", job_id=job_id).code, "JOB_NOT_FOUND")
        self.assertEqual(len(self.keepers()), before)

    def test_a_command_of_the_session_reaches_a_job(self):
        self.start("until [ -e go ]; do sleep 0.02; done; echo hello > answer; sleep 20")
        self.assertEqual(self.agent.run("touch go; until [ -s answer ]; do sleep 0.02; done; cat answer").stdout, b"hello\n")
