import json
import os
import secrets
import signal
import socket
import time
import unittest

import _socket
from harness import frames
from job_test_case import JobTestCase

from jobs import keeper_connection
from processes import own_process, process_table


class JobTest(JobTestCase):
    def output(self, job_id, offsets=None, limit=1 << 20, wait_ms=0, agent=None):
        return (agent or self.agent).call("job_output", job_id=job_id, offsets=offsets or {"stdout": 0}, limit=limit, wait_ms=wait_ms)

    def listed(self):
        return [json.loads(line) for line in self.agent.call("job_list").stdout.splitlines()]

    def test_runs_on_and_keeps_output_and_exit_code_when_the_call_has_ended(self):
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

    def test_gives_output_from_the_requested_offset(self):
        job_id = self.start("printf 0123456789")
        self.ended(job_id)
        answer = self.output(job_id, {"stdout": 3}, limit=4)
        self.assertEqual((answer.stdout, answer.ok["stdout"]), (b"3456", {"offset": 3, "next_offset": 7, "gap": 0, "eof": False}))
        self.assertEqual(self.output(job_id, {"stdout": 10}).ok["stdout"]["eof"], True)
        self.assertEqual(self.output(job_id, {"stdout": 11}).code, "RANGE_NOT_SATISFIABLE")

    def test_drops_the_oldest_output_when_the_limit_is_reached_and_does_not_stop_the_command(self):
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

    def test_answers_a_waiting_reader_when_output_comes_or_the_job_ends(self):
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

    def test_waits_for_the_end_alone_when_no_offset_is_given(self):
        job_id = self.start("echo news; until [ -e go ]; do sleep 0.02; done; echo more")
        self.eventually(lambda: self.output(job_id).stdout == b"news\n")
        request = self.agent.open(op="job_output", job_id=job_id, offsets={}, limit=1, wait_ms=60000)
        time.sleep(0.1)
        self.assertIsNone(self.agent.answers[request].end)
        self.put("go", "")
        answer = self.agent.wait(request)
        self.assertEqual((answer.stdout, answer.ok), (b"", {}))
        self.assertEqual(self.stat(job_id)["state"], "exited")

    def test_ends_the_wait_of_a_reader_and_not_the_job_when_the_reader_is_cancelled(self):
        job_id = self.start("sleep 20")
        request = self.agent.open(op="job_output", job_id=job_id, offsets={"stdout": 0}, limit=100, wait_ms=60000)
        self.agent.cancel(request)
        self.assertEqual(self.agent.wait(request).code, "CLIENT_CLOSED_REQUEST")
        self.assertEqual(self.stat(job_id)["state"], "running")

    def test_gives_the_command_its_input_when_it_is_sent_at_the_start_and_later(self):
        self.assertEqual(self.output(self.start("cat", stdin=b"x" * 300000), wait_ms=60000).ok["stdout"]["gap"], 0)
        job_id = self.start("cat", stdin=b"one ", open_stdin=True)
        self.write_input(job_id, b"two ")
        self.write_input(job_id, b"three", eof=True)
        self.assertEqual(self.ended(job_id)["exit_code"], 0)
        self.assertEqual(self.output(job_id).stdout, b"one two three")
        self.assertEqual(self.write_input(job_id, b"x").code, "JOB_ENDED")

    def write_input(self, job_id, data, eof=False):
        request = self.agent.open(op="job_stdin", job_id=job_id, eof=eof)
        self.agent.send_input(request, data)
        return self.agent.wait(request)

    def test_refuses_input_when_the_command_does_not_read_or_has_no_open_stdin(self):
        job_id = self.start("sleep 20", open_stdin=True)
        self.write_input(job_id, b"x" * (1 << 20)).ok
        self.assertEqual(self.write_input(job_id, b"x" * (1 << 20)).code, "JOB_STDIN_FULL")
        self.assertEqual(self.write_input(self.start("sleep 20"), b"x").code, "JOB_STDIN_CLOSED")

    def test_sends_a_signal_to_a_running_job_and_refuses_it_when_the_job_has_ended(self):
        job_id = self.start("trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.02; done")
        self.output(job_id, wait_ms=60000)
        self.assertEqual(self.agent.call("job_signal", job_id=job_id, signal=signal.SIGTERM).ok, {})
        self.assertEqual(self.ended(job_id)["exit_code"], 9)
        self.assertEqual(self.agent.call("job_signal", job_id=job_id, signal=signal.SIGTERM).code, "JOB_ENDED")
        job_id = self.start("sleep 20")
        self.agent.call("job_signal", job_id=job_id, signal=signal.SIGKILL)
        stat = self.ended(job_id)
        self.assertEqual((stat["state"], stat["exit_code"], stat["signal"]), ("killed", 137, 9))

    def test_kills_all_processes_of_a_job_when_its_time_is_over(self):
        job_id = self.start("setsid sleep 61.5 & echo x; trap '' TERM; sleep 61.5", timeout_ms=1500)
        stat = self.ended(job_id)
        self.assertEqual((stat["state"], stat["exit_code"]), ("timed_out", 124))
        self.assertEqual(self.pids_of("61.5"), [])
        self.assertEqual(self.output(job_id).stdout, b"x\n")

    def test_runs_a_job_when_its_time_limit_is_longer_than_one_poll_can_wait(self):
        job_id = self.start("sleep 0.3; echo done", timeout_ms=365 * 24 * 3600 * 1000)
        self.assertEqual(self.ended(job_id)["state"], "exited")

    def test_kills_all_processes_of_a_job_and_forgets_it_when_it_is_deleted(self):
        job_id = self.start("setsid sleep 62.5 & (trap '' TERM; sleep 62.5) & sleep 62.5")
        self.eventually(lambda: len(self.pids_of("62.5")) >= 3)
        self.assertEqual(self.agent.call("job_delete", job_id=job_id).ok, {})
        self.assertEqual(self.pids_of("62.5"), [])
        self.assertNotIn(job_id, [each["job_id"] for each in self.listed()])
        for op in ("job_stat", "job_delete"):
            self.assertEqual(self.agent.call(op, job_id=job_id).code, "JOB_NOT_FOUND")

    def test_keeps_a_job_for_another_agent_when_its_agent_has_ended(self):
        job_id = self.start("until [ -e go ]; do sleep 0.02; done; echo done")
        other = self.open_agent()
        self.agent.close()
        self.agent = other
        self.assertIn(job_id, [each["job_id"] for each in self.listed()])
        self.put("go", "")
        self.assertEqual(self.ended(job_id)["exit_code"], 0)
        self.assertEqual(self.output(job_id).stdout, b"done\n")
        self.assertEqual(self.agent.call("job_delete", job_id=job_id).ok, {})

    def test_wakes_a_keeper_when_it_was_stopped_by_a_signal(self):
        job_id = self.start("echo x; sleep 20")
        for pid in self.keepers():
            os.kill(pid, signal.SIGSTOP)
        self.assertEqual(self.stat(job_id)["state"], "running")
        for pid in self.keepers():
            os.kill(pid, signal.SIGSTOP)
        self.assertEqual(self.agent.call("job_delete", job_id=job_id).ok, {})

    def keepers(self):
        return process_table.pids_named(own_process.BACKGROUND_NAME)

    def test_closes_the_connection_when_a_client_sends_a_keeper_nonsense(self):
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

    def connect(self, job_id):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(b"\0sandbox-job-" + job_id.encode())
        return client

    def test_answers_other_calls_when_many_readers_wait_for_a_job(self):
        job_id = self.start("until [ -e go ]; do sleep 0.02; done; echo done")
        waiting = [self.agent.open(op="job_output", job_id=job_id, offsets={"stdout": 0}, limit=100, wait_ms=60000) for _ in range(40)]
        for _ in range(3):
            self.assertEqual(self.stat(job_id)["state"], "running")
            self.assertIn(job_id, [each["job_id"] for each in self.listed()])
        # More than wait are told at once that there is nothing yet.
        self.eventually(lambda: self.agent.run("true").ok and sum(1 for each in waiting if self.agent.answers[each].end) == 8)
        self.put("go", "")
        answers = [self.agent.wait(each) for each in waiting]
        self.assertEqual(sorted(each.stdout for each in answers), [b""] * 8 + [b"done\n"] * 32)
        self.assertTrue(all(each.ok for each in answers))

    def test_answers_calls_when_many_connections_ask_nothing(self):
        job_id = self.start("sleep 20")
        waiting = self.agent.open(op="job_output", job_id=job_id, offsets={"stdout": 0}, limit=100, wait_ms=60000)
        for _ in range(400):
            self.connect(job_id)
        self.assertEqual(self.stat(job_id)["state"], "running")
        self.assertIsNone(self.agent.answers[waiting].end)

    def test_lists_a_job_as_silent_when_its_socket_listens_and_does_not_answer(self):
        silent, job_id = self.pretend(), self.start("sleep 20")
        lines = {each.pop("job_id"): each for each in self.listed()}
        self.assertEqual(lines[silent], {"silent": True})
        self.assertEqual(lines[job_id]["state"], "running")

    def test_answers_exhausted_when_a_keeper_accepts_no_more_connections(self):
        crowded = self.pretend(backlog=1)
        for _ in range(2):
            self.connect(crowded)
        self.assertEqual(self.agent.call("job_stat", job_id=crowded).code, "SANDBOX_EXHAUSTED")

    def test_lists_a_job_as_silent_when_its_socket_hangs_up_on_a_question(self):
        for answer in (b"", frames.frame(frames.OUT, 0, b"x")):
            rude = self.pretend(answer)
            self.assertEqual(self.agent.call("job_stat", job_id=rude).code, "SANDBOX_LOST")
            self.assertIn({"job_id": rude, "silent": True}, self.listed())

    def test_keeps_the_channel_and_the_list_of_jobs_sound_when_a_fake_keeper_answers(self):
        job_id = self.start("sleep 20")
        for answer in (
            frames.ok_frame(0, {"more": "x" * 70000}),
            frames.error_frame(0, "x" * 70000, ""),
            frames.error_frame(0, "JOB_ENDED", "x" * 70000),
            frames.frame(frames.END, 0, b"nonsense"),
            frames.frame(frames.END, 0, b"[" * 100000),
            frames.json_frame(frames.END, 0, {}),
            frames.json_frame(frames.END, 0, {"error": 1}),
            frames.json_frame(frames.END, 0, {"ok": 1}),
            frames.json_frame(frames.END, 0, {"error": {"code": 1, "detail": None}}),
            frames.frame(frames.END, 0, b'{"ok":{"job_id":NaN}}'),
            frames.ok_frame(0, {"job_id": job_id, "command": "x", "state": "exited"}),
            frames.HEADER.pack(frames.MAX_HOST_PAYLOAD + 1, frames.END, 0),
        ):
            posing = self.pretend(answer)
            self.assertIn("error", self.agent.call("job_stat", job_id=posing).end, answer[:50])
            self.assertIn("error", self.agent.call("job_signal", job_id=posing, signal=0).end if b'"ok":{' not in answer else ["error"])
            lines = {each["job_id"]: each for each in self.listed()}
            self.assertEqual((lines[job_id]["state"], lines[posing]), ("running", {"job_id": posing, "silent": True}))
        posing = self.pretend(frames.ok_frame(0, {"stdout": "x" * 70000}))
        self.assertEqual(self.output(posing).code, "INTERNAL_ERROR")
        posing = self.pretend(frames.frame(frames.DATA_CREDIT, 0, b"xxxx") + frames.ok_frame(0, {}))
        self.assertEqual(self.output(posing).code, "SANDBOX_LOST")
        self.assertEqual(self.agent.answers[1].granted, 0)

    def test_gives_a_long_command_as_a_whole(self):
        command = ": " + "\U0001f600" * 15000 + "\u00e9" * 1990
        job_id = self.start(command)
        self.assertNotIn("command", self.ended(job_id))
        self.assertEqual(json.loads(self.agent.call("job_stat", job_id=job_id).stdout), command)
        self.assertEqual([each["command"] for each in self.listed() if each["job_id"] == job_id], [command])

    def test_leaves_no_job_when_the_command_cannot_start(self):
        before = len(self.keepers())
        job_id = secrets.token_hex(16)
        self.assertEqual(self.start_as(job_id, "true", cwd=self.path("missing")).code, "INVALID_WORKING_DIR")
        self.assertEqual(self.agent.call("job_stat", job_id=job_id).code, "JOB_NOT_FOUND")
        self.assertEqual(len(self.keepers()), before)

    def test_leaves_no_descriptor_open_when_the_command_cannot_start(self):
        if os.geteuid() != 0:
            self.skipTest("only root can look at an agent's descriptors")
        terminal = {"columns": 80, "rows": 24, "detached_ms": 60000}
        for settings in ({"cwd": self.path("missing")}, {"cwd": self.path("missing"), "terminal": terminal}, {"terminal": {**terminal, "rows": 1 << 20}}):
            for _ in range(30):
                self.assertTrue(self.start_as(secrets.token_hex(16), "true", open_stdin=True, **settings).code)
        for pid in self.children_of(self.agent.process.pid):
            self.assertLess(len(os.listdir("/proc/%d/fd" % pid)), 12)

    def test_ends_a_job_at_its_time_limit_when_other_processes_read_its_output(self):
        steal = "exec 3</proc/self/fd/1; for i in 1 2 3; do cat <&3 >/dev/null & done; sleep 0.2; echo x; sleep 1000"
        for job_id in [self.start(steal, timeout_ms=800) for _ in range(12)]:
            self.assertEqual(self.ended(job_id)["state"], "timed_out")

    def test_lets_a_command_of_the_session_reach_a_job_through_files(self):
        self.start("until [ -e go ]; do sleep 0.02; done; echo hello > answer; sleep 20")
        self.assertEqual(self.agent.run("touch go; until [ -s answer ]; do sleep 0.02; done; cat answer").stdout, b"hello\n")


class AcceptTest(unittest.TestCase):
    def setUp(self):
        self.listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self.addCleanup(self.listener.close)
        self.listener.bind(b"\0sandbox-test-" + secrets.token_hex(8).encode())
        self.listener.listen(4)
        self.listener.setblocking(False)

    def test_accepts_a_waiting_connection_when_python_has_its_accept_method_and_when_not(self):
        class OtherListener:
            fileno = self.listener.fileno

        for listener in (self.listener, OtherListener()):
            with self.subTest(type(listener)), socket.socket(socket.AF_UNIX) as client:
                descriptors = len(os.listdir("/proc/self/fd"))
                with self.assertRaises(BlockingIOError):
                    keeper_connection.accept_connection(listener)
                client.connect(self.listener.getsockname())
                fd = keeper_connection.accept_connection(listener)
                client.send(b"x")
                self.assertEqual(os.read(fd, 1), b"x")
                os.close(fd)
                self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
