import struct
import unittest
from unittest import mock

from harness import AgentTestCase, DEADLINE_SECONDS

from supervisor import agents, lease
from wire import frames


def seconds(number):
    return struct.pack(">I", number)


class LeaseTest(AgentTestCase):
    def test_ends_when_its_lease_is_over(self):
        self.agent.send(frames.LEASE, 0, seconds(1))
        self.assertEqual(self.agent.process.wait(DEADLINE_SECONDS), 0)

    def test_goes_on_when_its_lease_is_renewed(self):
        for _ in range(4):
            self.agent.send(frames.LEASE, 0, seconds(1))
            self.assertEqual(self.agent.run("sleep 0.4; echo on").stdout, b"on\n")

    def test_ends_when_a_lease_is_no_number(self):
        self.agent.send(frames.LEASE, 0, b"60")
        self.assertEqual(self.agent.process.wait(DEADLINE_SECONDS), 0)


class LastAgentTest(unittest.TestCase):
    """Without a sandbox, in which alone an agent may kill everything."""

    def expire(self, others, in_sandbox=True, pid=50):
        """Returns (whether the agent is to end, the calls of kill)."""
        mine = lease.Lease()
        mine.renew(-1)
        with mock.patch.object(agents, "others", lambda: others), mock.patch.object(agents, "is_in_sandbox", lambda: in_sandbox):
            with mock.patch("os.getpid", lambda: pid), mock.patch("os.kill") as kill:
                return mine.expire(mine.until + 1), kill.call_args_list

    def test_kills_everything_when_it_is_the_last(self):
        self.assertEqual(self.expire([]), (True, [mock.call(-1, 9)]))

    def test_kills_nothing_when_it_is_in_no_sandbox(self):
        self.assertEqual(self.expire([], in_sandbox=False), (True, []))

    def test_ends_alone_when_an_earlier_agent_lives(self):
        self.assertEqual(self.expire([40, 60]), (True, []))

    def test_stays_when_only_later_agents_live(self):
        self.assertEqual(self.expire([60]), (False, []))

    def test_stays_when_it_has_no_lease(self):
        self.assertFalse(lease.Lease().expire(1e12))
