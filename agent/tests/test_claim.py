import threading
import unittest

from harness import AgentTest


class ClaimTest(AgentTest):
    def test_one_alone_of_many_is_first(self):
        answers = [self.call({"op": "claim"}) for _ in range(3)]
        self.assertEqual([answer["claimed"] for answer in answers], [True, False, False])
