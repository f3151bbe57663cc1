import os
import shutil

from harness import AgentTestCase

IMAGE_PATH = os.environ["PATH"]


class OwnProgramsTest(AgentTestCase):
    """The tests' workspace is below /tmp, and so is what is in it the session's own."""

    def setUp(self):
        super().setUp()
        self.bin = self.path("bin")
        os.mkdir(self.bin)
        self.search_path = self.bin + ":" + IMAGE_PATH

    def program(self, name, mode=0o755):
        path = self.put(os.path.join("bin", name), "#!/bin/sh\n")
        os.chmod(path, mode)
        return path

    def first_other(self, *names, search_path=None):
        return self.agent.call("own_programs", names=names, search_path=search_path or self.search_path).ok["first_other"]

    def test_finds_no_other_program_when_all_are_of_the_session(self):
        self.program("one")
        os.mkdir(self.path("lib"))
        os.rename(self.program("cli.js"), self.path("lib", "cli.js"))
        os.symlink("../lib/cli.js", os.path.join(self.bin, "two"))  # as npm does
        self.program("caf\u00e9 *")
        self.assertIsNone(self.first_other("one", "two", "caf\u00e9 *"))

    def test_gives_the_place_of_the_first_name_that_is_no_program_of_the_session(self):
        self.program("one")
        for name in ("missing", "", ".", "..", "two"):
            self.assertEqual(self.first_other("one", name, "missing"), 1, name)

    def test_counts_a_file_as_no_program_when_it_cannot_be_run(self):
        self.program("plain", 0o644)
        os.mkdir(os.path.join(self.bin, "directory"))
        os.mkfifo(os.path.join(self.bin, "fifo"), 0o755)
        os.symlink("nowhere", os.path.join(self.bin, "broken"))
        for name in ("plain", "directory", "fifo", "broken"):
            self.assertEqual(self.first_other(name), 0, name)

    def test_counts_a_program_as_no_program_of_the_session_when_the_image_has_it(self):
        self.assertEqual(self.first_other("ls"), 0)
        os.symlink(shutil.which("ls"), os.path.join(self.bin, "list"))
        self.assertEqual(self.first_other("list"), 0)

    def test_takes_the_first_program_on_the_path_when_two_have_the_same_name(self):
        self.program("ls")
        self.assertIsNone(self.first_other("ls"))
        self.assertEqual(self.first_other("ls", search_path=IMAGE_PATH + ":" + self.bin), 0)
        # A relative entry is none that the agent can know.
        self.assertEqual(self.first_other("ls", search_path="bin"), 0)

    def test_searches_the_path_of_the_image_when_the_call_gives_none(self):
        self.program("one")
        self.addCleanup(os.environ.__setitem__, "PATH", IMAGE_PATH)
        os.environ["PATH"] = self.search_path
        answer = self.open_agent().call("own_programs", names=["one", "ls"])
        self.assertEqual(answer.ok["first_other"], 1)
