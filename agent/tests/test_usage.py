import os

from harness import AgentTestCase

MIB = 1 << 20


class UsageTest(AgentTestCase):
    """A directory of the test stands for the cgroup."""

    def setUp(self):
        super().setUp()
        self.cgroup = os.path.join(self.base, "cgroup") + "/"
        os.mkdir(self.cgroup)

    def say(self, name, text):
        path = self.cgroup + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def measure(self, *changes):
        places = [("processes.usage", '"/sys/fs/cgroup/"', repr(self.cgroup)), ("processes.usage", '"/workspace"', repr(self.root))]
        return self.open_agent(changes=[*places, *changes]).call("usage").ok

    def test_measures_by_version_2_of_cgroups(self):
        self.say("cpu.stat", "usage_usec 5000000\nuser_usec 1\n")
        self.say("memory.current", "1000\n")
        self.say("memory.stat", "anon 700\nfile 300\nkernel 5\nshmem 100\nfile_mapped 9\n")
        # It uses more while the agent measures.
        grow = 'open(_CGROUP + "cpu.stat", "w").write("usage_usec 5050000\\n")'
        found = self.measure(("processes.usage", "time.sleep(_CPU_SECONDS)", "time.sleep(_CPU_SECONDS);" + grow))
        self.assertEqual(found["cpu"]["used_us"], 50000)
        self.assertGreaterEqual(found["cpu"]["elapsed_us"], 200000)
        self.assertEqual(found["memory"], {"used": 800, "cache": 200})

    def test_measures_by_version_1_of_cgroups(self):
        self.say("cpuacct/cpuacct.usage", "5000000000\n")
        self.say("memory/memory.usage_in_bytes", "1000\n")
        self.say("memory/memory.stat", "cache 1\nshmem 2\ntotal_cache 300\ntotal_shmem 100\n")
        found = self.measure()
        self.assertEqual((found["cpu"]["used_us"], found["memory"]), (0, {"used": 800, "cache": 200}))

    def test_makes_nothing_up_when_the_kernel_tells_nothing(self):
        found = self.measure()
        self.assertEqual((found["cpu"], found["memory"]), (None, None))
        self.say("cpu.stat", "user_usec 1\n")
        self.say("memory.current", "max\n")
        found = self.measure()
        self.assertEqual((found["cpu"], found["memory"]), (None, None))

    def test_tells_the_file_system_of_the_workspace_when_nobody_bounds_it(self):
        found = self.measure()["disk"]
        self.assertEqual(found["size"], os.statvfs(self.root).f_blocks * os.statvfs(self.root).f_frsize)
        self.assertLess(found["free"], found["size"])

    def test_tells_what_pid_1_has_measured_when_it_bounds_the_disk(self):
        init = os.path.join(self.base, "init") + "/"
        os.mkdir(init)
        for name, text in (("cmdline", "python3\0-c\0x\0sandbox-disk\0"), ("comm", "d3/100\n")):
            with open(init + name, "w") as file:
                file.write(text)
        asked = ("processes.disk_limits", "os.kill(1, signal.SIGUSR2)", 'open(_INIT + "comm", "w").write("d3/99\\n")')
        found = self.measure(("processes.disk_limits", '"/proc/1/"', repr(init)), asked)
        self.assertEqual(found["disk"], {"free": 99 * MIB})
