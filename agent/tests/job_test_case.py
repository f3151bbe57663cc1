"""What tests of jobs share."""

import contextlib
import secrets
import socket
import threading

from harness import AgentTestCase


class JobTestCase(AgentTestCase):
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

    def pretend(self, answer=None, backlog=400):
        """The id of a job that a command pretends to be: each question gets that answer, or none at all."""
        job_id = secrets.token_hex(16)
        server = socket.socket(socket.AF_UNIX)
        server.bind(b"\0sandbox-job-" + job_id.encode())
        server.listen(backlog)
        self.addCleanup(server.close)

        def serve():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client, contextlib.suppress(OSError):
                    client.recv(1 << 16)
                    client.sendall(answer)

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
            self.addCleanup(server.shutdown, socket.SHUT_RDWR)
        return job_id
