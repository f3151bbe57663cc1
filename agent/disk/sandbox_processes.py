"""The processes of the sandbox, and their ends."""

import os
import time

import _signal as signal

from disk import proc

_AGENT = b"python3\0-I\0-S\0-u\0-c\0"
_KILL_ROUNDS = 50
_DYING_SECONDS = 2.0


class Processes:
    def __init__(self):
        self._agents = set()  # command lines of agents

    def commands(self):
        """Returns the pids of all processes but the agent's.

        The engine starts the agent, so its parent is none of the sandbox's. The agent's other
        processes have its command line. A command can give itself that line: then it is spared
        until it is seen to write on.
        """
        found = []
        for name in proc.names("/proc"):
            if not name.isdigit() or name == "1":
                continue
            status = proc.read("/proc/%s/stat" % name)
            fields = status[status.rfind(b")") + 2 :].split(None, 2)
            if len(fields) < 2 or fields[0] in (b"Z", b"X"):
                continue
            line = proc.read("/proc/%s/cmdline" % name)
            if fields[1] != b"0":
                found.append((int(name), line))
            elif line.startswith(_AGENT):
                self._agents.add(line)
        return [pid for pid, line in found if line not in self._agents]

    def kill_commands(self):
        """Returns when they have ended. One in the middle of a write takes its time to die.

        It leaves commands alone that begin meanwhile. If new processes come faster than this kills
        them, it kills all, in one step.
        """
        killed = set()
        for _ in range(_KILL_ROUNDS):
            new = set(self.commands()) - killed
            if not new:
                break
            for pid in new:
                _send(pid, signal.SIGKILL)
            killed |= new
        else:
            kill_all()
        give_up_at = time.monotonic() + _DYING_SECONDS
        while killed.intersection(self.commands()) and time.monotonic() < give_up_at:
            time.sleep(0.02)
            reap()


def kill_all():
    """Kills every process but this one, the agent's too. The host opens another channel."""
    _send(-1, signal.SIGKILL)


def resume_all():
    """Lets every process go on that another one has stopped."""
    _send(-1, signal.SIGCONT)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _send(pid, number):
    try:
        os.kill(pid, number)
    except OSError:
        pass
