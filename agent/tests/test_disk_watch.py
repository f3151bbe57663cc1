"""PID 1's measurements and decisions. A directory of the test stands for the workspace.

What needs a PID 1 is in test/medium and test/e2e.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import harness  # noqa: F401  finds the agent

from disk import proc, sandbox_processes
from disk.open_files import hidden_bytes
from disk.walk import Walk
from disk.watch import Watch

MIB = 1 << 20


class DiskCase(unittest.TestCase):
    def setUp(self):
        # Not in /tmp: in a tmpfs, directories take no blocks.
        self.root = tempfile.mkdtemp(dir=os.path.dirname(os.path.abspath(__file__)))
        self.addCleanup(shutil.rmtree, self.root)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def fill(self, name, size):
        with open(self.path(name), "wb") as file:
            file.write(b"x" * size)


class SchedulingTest(unittest.TestCase):
    def test_sees_another_priority_and_another_policy(self):
        script = "import os; from disk.proc import scheduling; print(scheduling()); os.nice(3); print(scheduling()); os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)); print(scheduling())"
        environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}
        before, slower, idle = subprocess.check_output([sys.executable, "-c", script], env=environment, text=True).splitlines()
        self.assertEqual(len({before, slower, idle}), 3)
        self.assertNotIn("None", (before, slower, idle))

    def test_knows_nothing_when_proc_tells_nothing(self):
        with mock.patch.object(proc, "read", return_value=b""):
            self.assertIsNone(proc.scheduling())


class WalkTest(DiskCase):
    def walk(self, closed=None, max_bytes=float("inf"), max_entries=float("inf")):
        return Walk(closed or {}, max_bytes, max_entries).run(self.root)

    def test_counts_what_files_take_and_not_what_they_seem_to_have(self):
        before = self.walk().bytes
        self.fill("full", MIB)
        self.assertEqual(self.walk().bytes - before, MIB)
        with open(self.path("sparse"), "wb") as file:
            file.truncate(1 << 40)
        self.assertEqual(self.walk().bytes - before, MIB)
        with open(self.path("reserved"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2 * MIB)
        self.assertEqual(self.walk().bytes - before, 3 * MIB)

    def test_counts_every_file_directory_and_link_once(self):
        os.makedirs(self.path("a", "b"))
        self.fill("a/file", 100)
        os.link(self.path("a/file"), self.path("a/b/same"))
        os.symlink("/", self.path("a/link"))
        os.mkfifo(self.path("fifo"))
        self.assertEqual(self.walk().entries, 6)  # the root too

    def test_follows_no_link_to_a_directory(self):
        os.mkdir(self.path("a"))
        os.symlink("..", self.path("a/up"))
        os.symlink("/usr", self.path("usr"))
        self.assertEqual(self.walk().entries, 4)

    def test_stops_when_it_has_seen_enough(self):
        for number in range(50):
            self.fill("file%d" % number, 8192)
        self.assertEqual(self.walk(max_entries=10).entries, 11)
        self.assertLess(self.walk(max_bytes=20_000).entries, 10)

    def test_calls_a_tree_too_deep_when_no_program_needs_its_levels(self):
        here = os.open(self.root, os.O_RDONLY)
        for _ in range(500):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        self.assertTrue(self.walk().too_deep)
        shutil.rmtree(self.path("d", *["d"] * 200))
        self.assertFalse(self.walk().too_deep)

    def test_calls_a_tree_too_deep_when_it_may_open_no_more(self):
        os.mkdir(self.path("a"))
        with mock.patch.object(os, "open", side_effect=self.refusing("a", os.open)):
            self.assertTrue(self.walk().too_deep)

    def refusing(self, refused, real):
        def open_unless(name, *args, **options):
            if name == refused:
                raise OSError(errno.EMFILE, "too many")
            return real(name, *args, **options)

        return open_unless

    def test_goes_on_when_a_directory_vanishes(self):
        os.mkdir(self.path("a"))
        self.fill("b", 4096)
        real = os.open

        def open_vanishing(name, *args, **options):
            if name == "a":
                os.rmdir(self.path("a"))
            return real(name, *args, **options)

        with mock.patch.object(os, "open", side_effect=open_vanishing):
            walk = self.walk()
        self.assertEqual((walk.entries, walk.too_deep), (2, False))


@unittest.skipIf(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), "root enters any directory")
class ClosedDirectoryTest(DiskCase):
    """As another user, because no directory is closed to root."""

    def as_user(self, code):
        os.chown(self.root, 1000, 1000)
        program = "import sys, os, time; sys.path[:0] = [%r]; os.chdir(%r)\n" % (harness.AGENT, self.root) + code
        user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"] if os.geteuid() == 0 else []
        # The directories above belong to whoever runs the tests.
        shared = os.path.join(tempfile.mkdtemp(), "agent")
        self.addCleanup(shutil.rmtree, os.path.dirname(shared))
        shutil.copytree(harness.AGENT, shared, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        os.chmod(os.path.dirname(shared), 0o755)
        found = subprocess.run([*user, "python3", "-c", program.replace(repr(harness.AGENT), repr(shared))], capture_output=True, text=True, timeout=60)
        self.assertEqual(found.stderr, "")
        return found.stdout.split()

    def test_looks_into_a_closed_directory_once_and_closes_it_again(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for mode in (0o000, 0o400, 0o100, 0o200):
            said = self.as_user(
                """
from disk.walk import Walk
name = "closed%o" % 0oMODE
os.mkdir(name)
open(name + "/file", "wb").write(bytes(1 << 20))
os.mkdir(name + "/below")
os.chmod(name + "/below", 0)
os.chmod(name, 0oMODE)
all_of_it = float("inf")
first = Walk({}, all_of_it, all_of_it).run(".")
print(first.unsettled, first.bytes >> 20)
at_once = Walk({}, all_of_it, all_of_it, 0.0).run(".")
print(at_once.unsettled, at_once.bytes >> 20)
time.sleep(1.2)
second = Walk(first.closed, all_of_it, all_of_it).run(".")
print(second.unsettled, second.bytes >> 20, "%o" % (os.stat(name).st_mode & 0o777))
changed = os.stat(name).st_ctime_ns
third = Walk(second.closed, all_of_it, all_of_it).run(".")
print(third.bytes == second.bytes, third.entries == second.entries, os.stat(name).st_ctime_ns == changed)
from disk.open_files import hidden_bytes
me, device = [os.getpid()], os.stat(".").st_dev
os.chmod(name, 0o700)
grows = open(name + "/file", "ab")
seen = hidden_bytes(me, device)
os.chmod(name, 0oMODE)
print(seen, hidden_bytes(me, device) >> 20 if not 0oMODE & 0o100 else 1)
os.chmod(name, 0o700)
os.chmod(name + "/below", 0o700)
import shutil
shutil.rmtree(name)
""".replace("MODE", "%o" % mode)
            )
            self.assertEqual(said[:2], ["True", "0"], "%o" % mode)
            self.assertEqual(said[2:4], ["False", "1"])
            self.assertEqual(said[4:7], ["False", "1", "%o" % mode])
            self.assertEqual(said[7:10], ["True", "True", "True"])
            self.assertEqual(said[10:], ["0", "1"])

    def test_opens_the_workspace_again_when_a_command_has_closed_it(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        code = "from disk.walk import Walk; os.chmod('.', 0); print(Walk({}, 1e9, 1e9).run(%r).entries)" % self.root
        self.assertEqual(self.as_user(code), ["1"])


class HiddenFilesTest(DiskCase):
    def test_counts_a_file_without_a_name_once_for_all_who_have_it_open(self):
        self.fill("gone", MIB)
        device = os.stat(self.root).st_dev
        with open(self.path("gone"), "rb"), open(self.path("gone"), "rb"):
            self.assertEqual(hidden_bytes([os.getpid()], device), 0)
            os.unlink(self.path("gone"))
            self.assertEqual(hidden_bytes([os.getpid(), os.getpid()], device), MIB)
            self.assertEqual(hidden_bytes([os.getpid()], device + 1), 0)
        self.assertEqual(hidden_bytes([os.getpid(), 2**22 + 1], device), 0)


class WatchTest(DiskCase):
    """With processes and a clock of the test's."""

    def setUp(self):
        super().setUp()
        self.commands = []
        self.killed = []
        self.now = 100.0
        self.watch = self.new_watch(MIB, 1000)
        self.patch(time, "monotonic", lambda: self.now)
        self.patch(sandbox_processes, "_send", lambda pid, number: None)
        self.patch(sandbox_processes, "kill_all", lambda: self.killed.append("all"))

    def new_watch(self, max_bytes, max_entries):
        watch = Watch(self.root, max_bytes, max_entries)
        watch._processes = mock.Mock(commands=lambda: list(self.commands), kill_commands=self.kill_commands)
        watch.publish = lambda: None
        return watch

    def kill_commands(self):
        self.killed.append(list(self.commands))
        self.commands = []

    def patch(self, target, name, value):
        patcher = mock.patch.object(target, name, value)
        patcher.start()
        self.addCleanup(patcher.stop)

    def look(self, poked=False, seconds=2.0, asked=False):
        self.now += seconds
        return self.watch.look(poked, asked)

    def told(self):
        with mock.patch("builtins.open", mock.mock_open()) as opened:
            Watch.publish(self.watch)
        return b"".join(call.args[0] for call in opened().write.call_args_list)

    def test_rests_when_nothing_runs_and_looks_on_while_something_runs(self):
        self.look()
        self.assertIsNone(self.look())
        self.commands = [7]
        self.assertEqual(self.look(poked=True), 0.25)
        self.assertEqual(self.look(), 0.25)
        self.commands = []
        self.assertIsNone(self.look())

    def test_ends_the_commands_past_the_limit_and_says_so(self):
        self.commands = [7]
        self.fill("a", MIB // 2)
        self.look()
        self.assertEqual((self.killed, self.told()), ([], b"d0/0"))
        self.fill("b", MIB)
        self.look()
        self.assertEqual(self.killed, [[7]])
        self.assertRegex(self.told(), rb"^d1/-1$")

    def test_ends_the_commands_past_the_number_of_entries(self):
        self.watch = self.new_watch(1 << 40, 50)
        self.commands = [7]
        for number in range(60):
            self.fill("f%d" % number, 0)
        self.look()
        self.assertEqual((self.killed, self.told()), ([[7]], b"d1/0"))

    def test_lets_commands_delete_past_the_limit_and_ends_those_that_write_on(self):
        self.commands = [7]
        self.fill("a", 3 * MIB // 2)
        self.look()
        self.commands = [8]
        self.fill("log", 1000)
        self.look()
        self.assertEqual(self.killed, [[7]])
        self.fill("b", 2 * MIB)
        self.look()
        self.assertEqual(self.killed, [[7], [8]])
        self.commands = [9]
        os.unlink(self.path("a"))
        os.unlink(self.path("b"))
        self.look()
        self.fill("c", MIB // 2)
        self.look()
        self.assertEqual((self.killed, self.told()), ([[7], [8]], b"d2/0"))

    def test_closes_a_workspace_that_is_far_past_its_limit(self):
        self.watch._far_bytes = 2 * MIB
        self.fill("a", 3 * MIB)
        self.look()
        self.assertEqual(self.told(), b"d0/x")
        os.unlink(self.path("a"))
        self.look(poked=True)
        self.assertEqual(self.told(), b"d0/0")

    def test_kills_all_processes_when_a_workspace_grows_on_without_commands(self):
        self.commands = [7]
        self.fill("a", MIB + 8192)
        self.look()
        self.fill("b", 2 * MIB)
        self.look(poked=True)
        self.assertEqual(self.killed, [[7]])  # a file call that ends by itself
        self.look(poked=True)
        self.fill("c", 2 * MIB)
        self.look(poked=True)
        self.assertEqual(self.killed, [[7]])
        self.fill("d", 2 * MIB)
        self.look(poked=True)
        self.assertEqual(self.killed, [[7], "all"])

    def test_counts_entries_alone_where_the_kernel_bounds_the_bytes(self):
        self.watch = self.new_watch(0, 50)
        self.commands = [7]
        self.fill("a", 4 * MIB)
        self.look()
        self.assertEqual((self.killed, self.told()), ([], b"d0/9999999"))

    def test_measures_rarely_while_the_disk_has_hardly_changed(self):
        self.commands = [7]
        self.look()
        walks = []
        self.patch(Watch, "_walk", lambda watch, commands: walks.append(watch))
        self.watch._max_bytes = 1 << 40
        self.watch._space = 1001, 1
        space = iter(range(1000, 0, -1))
        self.patch(Watch, "_free_space", lambda watch: (next(space), 1))
        for _ in range(3):
            self.look(seconds=0.25)
        self.assertEqual(len(walks), 0)
        self.look(seconds=0.5)
        self.assertEqual(len(walks), 1)

    def test_measures_at_once_when_the_limit_may_have_been_passed(self):
        self.commands = [7]
        self.look()
        walks = []
        self.patch(Watch, "_walk", lambda watch, commands: walks.append(watch))
        self.patch(Watch, "_free_space", lambda watch: (-(1 << 40), 1))
        self.look(seconds=0.3)
        self.assertEqual(len(walks), 1)

    def test_measures_soon_when_a_call_is_about_to_be_refused(self):
        self.look()
        self.assertIsNone(self.look())
        walks = []
        self.patch(Watch, "_walk", lambda watch, commands: walks.append(watch))
        self.patch(Watch, "_free_space", lambda watch: (1 << 40, 1))
        self.look(seconds=0.3)
        self.assertEqual(len(walks), 0)
        self.look(seconds=0.3, asked=True)
        self.assertEqual(len(walks), 1)

    def test_measures_nothing_when_the_disk_has_not_changed(self):
        self.commands = [7]
        self.patch(Watch, "_free_space", lambda watch: (5, 5))
        self.look()
        walks = []
        self.patch(Watch, "_walk", lambda watch, commands: walks.append(watch))
        self.look(seconds=100)
        self.assertEqual(walks, [])


class ProcessesTest(unittest.TestCase):
    """With a /proc of the test's."""

    def commands(self, table, processes=None):
        def read(path):
            _, _, pid, kind = path.split("/")
            parent, state, line = table[int(pid)]
            return b"%d (a) b) c) %s %d 1 1" % (int(pid), state, parent) if kind == "stat" else line

        names = [str(pid) for pid in table] + ["1", "self", "meminfo"]
        with mock.patch.object(proc, "names", lambda path: names), mock.patch.object(proc, "read", read):
            return (processes or sandbox_processes.Processes()).commands()

    AGENT = b"python3\0-I\0-S\0-u\0-c\0line\0"

    def test_takes_all_processes_for_commands_but_the_agents(self):
        table = {
            5: (0, b"S", self.AGENT),
            6: (5, b"S", self.AGENT),
            7: (6, b"R", b"sh\0-c\0--\0x\0"),
            8: (7, b"Z", b""),
            9: (1, b"R", b""),
            10: (0, b"S", b"bash\0"),
            11: (10, b"S", b"bash\0"),
        }
        self.assertEqual(self.commands(table), [7, 9, 11])

    def kill(self, looks):
        """Has it kill what the looks find, in turn. Returns what was killed."""
        processes = sandbox_processes.Processes()
        processes.commands = mock.Mock(side_effect=looks)
        killed = []
        with mock.patch.object(sandbox_processes, "_send", lambda pid, number: killed.append(pid)), mock.patch.object(time, "sleep"):
            processes.kill_commands()
        return killed

    def test_waits_for_commands_that_take_their_time_to_die_and_spares_later_ones(self):
        self.assertEqual(self.kill([[5, 6], [6, 7], [6, 7], [7, 8], [8]]), [5, 6, 7])

    def test_kills_all_processes_at_once_when_new_ones_come_faster_than_it_kills(self):
        self.assertEqual(self.kill([*([pid] for pid in range(50)), []])[-1], -1)

    def test_spares_the_keepers_of_an_agent_that_has_ended(self):
        processes = sandbox_processes.Processes()
        self.commands({5: (0, b"S", self.AGENT)}, processes)
        table = {6: (1, b"S", self.AGENT), 7: (6, b"S", b"sleep\0")}
        self.assertEqual(self.commands(table, processes), [7])

    def test_spares_no_command_that_poses_as_an_agent_before_there_was_one(self):
        self.assertEqual(self.commands({6: (1, b"S", self.AGENT)}), [6])


if __name__ == "__main__":
    unittest.main()
