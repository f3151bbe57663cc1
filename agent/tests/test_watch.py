import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

import tars
from harness import text_of
from watch_test_case import WatchTestCase


class ChangesTest(WatchTestCase):
    def test_tells_of_what_happens_to_the_entries_of_a_directory(self):
        self.put("old", "1")
        watch = self.watch()
        self.put("a", "text")
        self.assertEqual(self.settled(watch), ["create a", "modify a"])
        os.chmod(self.path("a"), 0o600)
        self.assertEqual(self.settled(watch), ["chmod a"])
        os.rename(self.path("a"), self.path("b"))
        self.assertEqual(self.settled(watch), ["rename a -> b"])
        os.rename(self.path("b"), self.path("old"))
        self.assertEqual(self.settled(watch), ["rename b -> old"])
        os.unlink(self.path("old"))
        self.assertEqual(self.settled(watch), ["remove old"])
        os.mkdir(self.path("d"))
        os.symlink("/", self.path("link"))
        os.rmdir(self.path("d"))
        self.assertEqual(self.settled(watch), ["create d/", "create link", "remove d/"])

    def test_tells_nothing_of_what_is_below_when_it_is_not_recursive(self):
        os.mkdir(self.path("d"))
        watch = self.watch()
        self.put("d/a", "")
        os.mkdir(self.path("e"))
        self.put("e/a", "")
        self.assertEqual(self.settled(watch), ["create e/"])

    def test_takes_paths_from_the_watched_directory(self):
        os.makedirs(self.path("d/e"))
        watch = self.watch("d", True)
        self.put("d/e/f", "")
        self.assertEqual(self.told_after(watch, "create e/f"), ["create e/f"])

    def told_after(self, watch, last):
        watch.wait(lambda lines: last in watch.told)
        return watch.told

    def test_tells_of_all_levels_when_it_is_recursive(self):
        os.makedirs(self.path("a/b/c"))
        watch = self.watch("", True)
        self.put("a/b/c/f", "1")
        os.makedirs(self.path("a/new"))
        self.assertEqual(self.settled(watch), ["create a/b/c/f", "modify a/b/c/f", "create a/new/"])
        self.put("a/new/f", "1")
        self.assertEqual(self.settled(watch), ["create a/new/f", "modify a/new/f"])

    def test_tells_each_entry_of_new_directories_once_when_they_fill_at_once(self):
        watch = self.watch("", True)
        names = ["d%d" % n for n in range(20)]
        subprocess.run(["mkdir", "-p", *[self.path(name, "x", "y", "z") for name in names]], check=True)
        for name in names:
            self.put(name + "/x/y/z/f", "")
        made = ("/", "/x/", "/x/y/", "/x/y/z/", "/x/y/z/f")
        expected = {"create " + name + each for name in names for each in made}
        watch.wait(lambda lines: expected <= set(watch.told))
        self.assertEqual(sorted(watch.told), sorted(expected))

    def test_follows_directories_when_they_are_renamed(self):
        os.makedirs(self.path("a/b"))
        os.makedirs(self.path("c"))
        watch = self.watch("", True)
        os.rename(self.path("a"), self.path("c/z"))
        self.put("c/z/b/f", "")
        self.assertEqual(self.settled(watch), ["rename a -> c/z/", "create c/z/b/f"])

    def test_tells_of_a_removal_when_an_entry_leaves_and_of_new_entries_when_a_directory_comes(self):
        os.makedirs(self.path("in/a/b"))
        os.makedirs(self.path("out/c/d"))
        self.put("out/c/d/f", "")
        watch = self.watch("in", True)
        os.rename(self.path("in/a"), self.path("out/a"))
        os.rename(self.path("out/c"), self.path("in/c"))
        self.put("out/a/b/f", "")
        told = self.told_after(watch, "create c/d/f")
        self.assertEqual(told, ["remove a/", "create c/", "create c/d/", "create c/d/f"])
        os.unlink(self.path("in/c/d/f"))
        self.assertEqual(self.told_after(watch, "remove c/d/f")[4:], ["remove c/d/f"])

    def test_tells_of_a_rename_to_both_when_two_watches_have_the_directories(self):
        os.makedirs(self.path("a"))
        os.makedirs(self.path("b"))
        whole, first, second = self.watch("", True), self.watch("a"), self.watch("b")
        self.put("a/f", "")
        os.rename(self.path("a/f"), self.path("b/g"))
        self.assertEqual(self.settled(whole), ["create a/f", "rename a/f -> b/g"])
        self.assertEqual(self.told_after(first, "remove f"), ["create f", "remove f"])
        self.assertEqual(self.told_after(second, "create g"), ["create g"])

    def test_goes_on_for_one_watch_when_another_of_the_directory_ends(self):
        first, second = self.watch(), self.watch()
        first.stream.send_eof()
        first.stream.wait_eof()
        self.put("a", "")
        self.assertEqual(self.settled(second), ["create a"])

    def test_tells_of_a_write_when_the_host_writes_a_file_in_one_step(self):
        watch = self.watch()
        self.agent.write("a", b"1")
        self.assertEqual(self.settled(watch), ["create a", "modify a"])
        self.agent.write("a", b"2")
        self.agent.edit("a", [("2", "3")])
        self.assertEqual(set(self.settled(watch)), {"modify a"})

    def test_tells_the_exact_bytes_of_a_name_when_it_is_no_utf_8(self):
        watch = self.watch()
        with open(os.fsencode(self.root) + b"/caf\xe9", "w"):
            pass
        os.rename(os.fsencode(self.root) + b"/caf\xe9", os.fsencode(self.root) + b"/\xc3\xa9\n\xff")
        self.assertEqual(self.settled(watch), ["create " + text_of(b"caf\xe9"), "rename " + text_of(b"caf\xe9 -> \xc3\xa9\n\xff")])

    def test_watches_a_directory_when_its_name_is_no_utf_8(self):
        os.mkdir(os.fsencode(self.root) + b"/d\xff")
        watch = self.watch("", False, path_base64="ZP8=")
        with open(os.fsencode(self.root) + b"/d\xff/f", "w"):
            pass
        self.assertEqual(self.told_after(watch, "create f"), ["create f"])

    def test_tells_of_a_chmod_when_a_file_is_named_as_the_kernel_names_files_without_a_name(self):
        self.put("#1", "")
        watch = self.watch()
        os.chmod(self.path("#1"), 0o600)
        self.assertEqual(self.settled(watch), ["chmod #1"])

    def test_tells_of_an_archive_when_it_is_unpacked(self):
        watch = self.watch("", True)
        request_id = self.agent.open(op="unpack", path="d", max_size=1 << 20, max_entries=100)
        self.agent.send_input(request_id, tars.archive(tars.entry(b"e/f", b"1")))
        self.agent.wait(request_id)
        self.assertEqual(set(self.settled(watch)), {"create d/", "create d/e/", "create d/e/f"})


class RefusalTest(WatchTestCase):
    def test_refuses_what_is_no_directory_of_the_workspace(self):
        self.put("file", "")
        os.mkdir(self.path("closed"), 0)
        os.symlink(self.outside, self.path("link"))
        rows = [("none", "NOT_FOUND"), ("file", "NOT_A_DIRECTORY"), ("link", "PATH_OUTSIDE_WORKSPACE"), ("a/../b", "INVALID_PATH")]
        for path, code in rows + [("closed", "PERMISSION_DENIED")] * (os.getuid() != 0):
            self.assertEqual(self.open_watch(path).stream.wait_reset().code, code, path)

    def test_follows_a_link_to_a_directory_of_the_workspace_and_none_below(self):
        os.mkdir(self.path("d"))
        os.symlink("d", self.path("inside"))
        os.symlink(self.outside, self.path("d/outside"))
        watch = self.watch("inside", True)
        open(os.path.join(self.outside, "f"), "w").close()
        os.mkdir(os.path.join(self.outside, "g"))
        os.symlink(self.outside, self.path("d/later"))
        self.put("d/a", "")
        watch.wait_for(path="a")
        self.assertEqual(watch.told, ["create later", "create a"])

    def test_does_not_follow_a_directory_that_a_link_has_replaced(self):
        os.makedirs(self.path("a/b"))
        watch = self.watch("", True)
        os.rename(self.path("a/b"), self.path("old"))
        os.symlink(self.outside, self.path("a/b"))
        open(os.path.join(self.outside, "f"), "w").close()
        self.assertEqual(self.settled(watch), ["rename a/b -> old/", "create a/b"])

    def test_refuses_one_watch_more_than_16_and_takes_it_when_another_has_ended(self):
        watches = [self.watch() for _ in range(16)]
        more = self.streams.open("watch").wait_opened()
        self.assertEqual(more.code, "TOO_MANY_STREAMS")
        watches[0].stream.send_reset()
        watches[0].stream.wait_reset()
        watches[1].stream.send_eof()
        watches[1].stream.wait_eof()
        self.watch()
        self.watch()

    def test_ends_the_channel_when_the_host_sends_no_such_line(self):
        wrong = (b"{}\n", b"[]\n", b'{"path":1,"recursive":true}\n', b'{"path":"","recursive":1}\n')
        for line in (*wrong, b"x" * 40000, b'{"path":"","recursive":true}\n.'):
            agent = self.open_agent()
            stream = agent.streams.open("watch").wait_accepted()
            stream.send_data(line)
            with self.assertRaises(EOFError):
                agent.pump_until(lambda: False)

    def test_has_no_instance_of_inotify_when_nobody_watches(self):
        self.streams.pass_barrier()
        self.assertEqual(self.instances(), 0)
        watches = [self.watch(), self.watch("", True)]
        self.assertEqual(self.instances(), 1)
        for watch in watches:
            watch.stream.send_eof()
            watch.stream.wait_eof()
        self.streams.pass_barrier()
        self.assertEqual(self.instances(), 0)

    def instances(self):
        count = 0
        for pid in self.children_of(self.agent.process.pid):
            for fd in os.listdir("/proc/%d/fd" % pid):
                with contextlib.suppress(OSError):
                    count += os.readlink("/proc/%d/fd/%s" % (pid, fd)).endswith("inotify")
        return count

    def test_says_what_the_host_is_to_raise_when_it_has_no_instance_left(self):
        changes = [("watching.inotify", '_call("inotify_init1", ', "_fail(")]
        changes.append(("watching.inotify", "def _call(", "def _fail(flags):\n    raise OSError(errno.EMFILE, '')\n\n\ndef _call("))
        stream = self.open_agent(changes=changes).streams.open("watch").wait_opened()
        self.assertEqual(stream.code, "SANDBOX_EXHAUSTED")
        self.assertIn("fs.inotify.max_user_instances", stream.reset["detail"])


class EndTest(WatchTestCase):
    def test_ends_when_the_directory_is_removed(self):
        os.mkdir(self.path("d"))
        self.put("d/f", "")
        watch = self.watch("d")
        shutil.rmtree(self.path("d"))
        watch.stream.wait_eof()
        self.assertEqual(watch.told, ["remove f"])
        watch.stream.send_eof()
        self.watch()

    def test_ends_when_the_directory_is_moved(self):
        os.mkdir(self.path("d"))
        watch = self.watch("d", True)
        os.rename(self.path("d"), self.path("e"))
        watch.stream.wait_eof()

    def test_ends_when_a_process_works_in_the_directory_that_is_removed(self):
        os.mkdir(self.path("d"))
        watch = self.watch("d")
        self.agent.start("cd d && exec sleep 1000")
        self.eventually(lambda: self.pids_in(self.path("d")))
        os.rmdir(self.path("d"))
        watch.stream.wait_eof()
        self.assertTrue(self.pids_of("sleep"))

    def test_ends_when_a_directory_above_is_moved(self):
        os.makedirs(self.path("a/b"))
        watch = self.watch("a/b", True)
        os.rename(self.path("a"), self.path("c"))
        watch.stream.wait_eof()


class LossTest(WatchTestCase):
    def hold(self, watch):
        """The host takes nothing more from the stream."""
        watch.stream.auto_credit = False

    def release(self, watch):
        watch.stream.auto_credit = True
        watch.stream.grant((64 << 10) - watch.stream.window)

    def test_says_that_changes_were_lost_when_the_host_takes_none(self):
        watch = self.watch()
        self.hold(watch)
        self.agent.run("i=0; while [ $i -lt 10000 ]; do : > a-long-name-for-a-file-$i; i=$((i+1)); done")
        self.streams.pass_barrier()
        self.release(watch)
        watch.wait_for(lost="overflow")
        told = watch.told
        self.assertEqual(told[0], "create a-long-name-for-a-file-0")
        self.assertEqual(told.count("lost overflow"), 1)
        watch.lines.clear()
        self.assertEqual(self.settled(watch), [])

    def test_tells_a_change_once_when_it_comes_again_before_the_host_takes_it(self):
        self.put("a", "")
        self.put("b", "")
        watch = self.watch()
        self.hold(watch)
        self.agent.run("i=0; while [ $i -lt 2000 ]; do echo 1 >> a; echo 1 >> b; i=$((i+1)); done; : > end")
        self.release(watch)
        watch.wait_for(path="end")
        self.assertEqual(set(watch.told), {"modify a", "modify b", "create end"})

    def test_finds_all_directories_again_when_the_kernel_has_dropped_events(self):
        os.mkdir(self.path("d"))
        watch = self.watch("", True)
        relay = self.relay()
        os.kill(relay, signal.SIGSTOP)
        count = self.queue_length() + 100
        self.agent.run("i=0; while [ $i -lt %d ]; do : > d/$i; i=$((i+1)); done; mkdir -p new/below" % count, timeout_ms=60000)
        os.kill(relay, signal.SIGCONT)
        watch.wait_for(lost="overflow")
        # The host may have been too slow first, and the tree is found anew after that.
        self.eventually(lambda: self.notices(watch, "new/below/"))

    def relay(self):
        for pid in self.children_of(self.agent.process.pid):
            with open("/proc/%d/oom_score_adj" % pid):
                pass
            if any(os.readlink("/proc/%d/fd/%s" % (pid, fd)).endswith("inotify") for fd in os.listdir("/proc/%d/fd" % pid)):
                return pid
        raise AssertionError("no process watches")

    def queue_length(self):
        with open("/proc/sys/fs/inotify/max_queued_events") as file:
            return int(file.read())

    def test_says_so_when_there_are_more_directories_than_it_watches(self):
        agent = self.open_agent(changes=[("watching.tree_scans", "_MAX_DIRECTORIES = 4096", "_MAX_DIRECTORIES = 4")])
        self.streams = agent.streams
        for name in ("a/b", "a/c"):
            os.makedirs(self.path(name))
        watch = self.watch("", True)
        self.assertEqual(self.settled(watch), [])
        os.makedirs(self.path("a/d/e"))
        self.put("a/b/f", "")
        self.assertEqual(self.settled(watch), ["create a/d/", "lost too_many_directories a", "create a/b/f"])
        os.rmdir(self.path("a/c"))
        os.mkdir(self.path("a/g"))
        self.settled(watch)
        self.put("a/g/f", "")
        self.assertEqual(self.settled(watch), ["create a/g/f"])

    def test_says_so_when_the_host_has_no_watch_left(self):
        agent = self.open_agent(changes=[("watching.watch_table", "_MAX_DIRECTORIES = 8192", "_MAX_DIRECTORIES = 2")])
        self.streams = agent.streams
        os.makedirs(self.path("a/b"))
        watch = self.watch("", True)
        watch.wait_for(lost="too_many_directories")
        self.assertEqual(watch.told, ["lost too_many_directories a/b"])
        watch.lines.clear()
        stream = self.open_watch("a/b").stream.wait_reset()
        self.assertEqual(stream.code, "SANDBOX_EXHAUSTED")
        self.assertIn("fs.inotify.max_user_watches", stream.reset["detail"])

    def test_says_so_when_a_directory_is_too_deep(self):
        path = "/".join("d" * 105)
        os.makedirs(self.path(path))
        watch = self.watch("", True)
        watch.wait_for(lost="too_deep")
        self.assertEqual(watch.told, ["lost too_deep " + "/".join("d" * 99)])
        watch.lines.clear()
        self.put("/".join("d" * 99) + "/f", "")
        self.put(path + "/f", "")
        self.assertEqual(self.settled(watch), ["create " + "/".join("d" * 99) + "/f"])

    def test_tells_of_all_when_directories_change_places_as_fast_as_they_can(self):
        watch = self.watch("", True)
        self.run_python(
            """
for _ in range(300):
    os.makedirs("a/x", exist_ok=True)
    os.makedirs("b/y", exist_ok=True)
    os.rename("a", "c")
    os.rename("b", "a")
    os.rename("c", "b")
    os.makedirs("a/x/z", exist_ok=True)
    shutil.rmtree("b")
os.makedirs("last/one")
"""
        )
        watch.wait(lambda lines: "create last/one/" in watch.told or "lost overflow" in watch.told)
        # The tree may be found anew once more.
        self.eventually(lambda: self.notices(watch))

    def run_python(self, text):
        with open(os.path.join(self.base, "program"), "w") as file:
            file.write("import os, shutil\n" + text)
        self.assertEqual(self.agent.run("%s -I -S %s" % (sys.executable, file.name)).ok["exit_code"], 0)

    def notices(self, watch, directory="last/one/"):
        watch.lines.clear()
        name = directory + str(time.monotonic_ns())
        self.put(name, "")
        self.streams.pass_barrier()
        return "create " + name in watch.told

    def test_keeps_serving_other_streams_when_a_flood_of_changes_comes_and_the_host_takes_none(self):
        watch = self.watch("", True)
        self.hold(watch)
        self.in_thread(self.flood)
        while "flooded" not in os.listdir(self.root):
            self.streams.pass_barrier()
        self.release(watch)
        # How much is lost, and where, depends on who was faster.
        watch.wait(lambda lines: "create flooded" in watch.told or any("lost" in line for line in lines))
        self.eventually(lambda: self.notices(watch))

    def flood(self):
        os.mkdir(self.path("last"))
        os.mkdir(self.path("last/one"))
        for n in range(1500):
            os.makedirs(self.path("f/g"))
            self.put("f/g/a-file-with-a-long-name", "")
            shutil.rmtree(self.path("f"))
        self.put("flooded", "")


if __name__ == "__main__":
    unittest.main()
