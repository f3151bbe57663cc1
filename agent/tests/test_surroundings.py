import hashlib
import os
import shutil
import ssl
import unittest

from harness import AgentTestCase

from surroundings import java_keystore


def _pem(der):
    return ssl.DER_cert_to_PEM_cert(der)


class ProvideFilesTest(AgentTestCase):
    """Files of settings, in a directory of the test."""

    def setUp(self):
        super().setUp()
        self.directory = self.outside
        self.path = os.path.join(self.directory, "a/b/settings")

    def provide(self, files):
        return self.agent.call("provide_files", files=files, trust=None)

    def read(self, name):
        with open(os.path.join(self.directory, name), "rb") as file:
            return file.read()

    def test_writes_files_with_their_directories_for_everyone_to_read(self):
        self.assertEqual(self.provide({self.path: "one \u00e9\n"}).ok, {"trusted": True})
        self.assertEqual(self.read("a/b/settings"), "one \u00e9\n".encode())
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o644)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["settings"])

    def test_leaves_a_file_as_it_is_if_it_has_that_content(self):
        self.provide({self.path: "one"})
        before = os.stat(self.path)
        self.provide({self.path: "one"})
        self.assertEqual(os.stat(self.path).st_ino, before.st_ino)

    def test_replaces_a_file_with_other_content_or_that_is_gone(self):
        for spoil in ("echo > %s", "printf two > %s", "rm %s", "rm -r $(dirname %s)"):
            self.provide({self.path: "one"})
            self.agent.run(spoil % self.path)
            self.provide({self.path: "one"})
            self.assertEqual(self.read("a/b/settings"), b"one")

    def test_replaces_a_pipe_or_a_link_that_a_command_has_put_there(self):
        for put in (os.mkfifo, lambda path: os.symlink("/dev/zero", path)):
            self.provide({self.path: "one"})
            os.unlink(self.path)
            put(self.path)
            self.provide({self.path: "one"})
            self.assertTrue(os.path.isfile(self.path) and not os.path.islink(self.path))

    def test_says_so_and_leaves_nothing_behind_when_it_cannot_write(self):
        os.makedirs(os.path.join(self.path, "in-the-way"))
        self.assertEqual(self.provide({self.path: "one"}).code, "IS_A_DIRECTORY")
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["settings"])


class TrustTest(AgentTestCase):
    """The files of certificates. Any bytes do: these are no real ones."""

    def setUp(self):
        super().setUp()
        self.directory = self.outside
        self.added = _pem(b"added")

    def provide(self, bundle, otherwise=None):
        """Provides them in an image with that bundle. Returns `trusted`, and the files."""
        image = os.path.join(self.directory, "image.pem")
        with open(image, "w") as file:
            file.write(bundle)
        agent = self.open_agent(changes=[("surroundings.trusted", "_BUNDLES = (", "_BUNDLES = (%r,) or (" % image)])
        target = os.path.join(self.directory, "files")
        answer = agent.call("provide_files", files={}, trust={"directory": target, "certificates": self.added, "otherwise": otherwise})
        found = {}
        for name in os.listdir(target) if os.path.isdir(target) else ():
            with open(os.path.join(target, name), "rb") as file:
                found[name] = file.read()
        return answer.ok["trusted"], found

    def test_adds_to_what_the_image_trusts(self):
        image = _pem(b"image 1") + _pem(b"image 2" * 40)
        is_trusted, files = self.provide("# A comment\n" + image, _pem(b"otherwise"))
        self.assertTrue(is_trusted)
        self.assertEqual(files["ca.pem"].decode(), self.added)
        self.assertEqual(files["ca-bundle.pem"].decode(), image + self.added)
        self.assertEqual(files["truststore.jks"], java_keystore.make([b"image 1", b"image 2" * 40, b"added"]))

    def test_has_each_certificate_once(self):
        _, files = self.provide(_pem(b"a") * 2 + self.added)
        self.assertEqual(files["ca-bundle.pem"].decode(), _pem(b"a") + self.added)

    def test_takes_the_others_when_the_image_has_none(self):
        for empty in ("", "no certificate", "-----BEGIN CERTIFICATE-----\nbroken off"):
            is_trusted, files = self.provide(empty, _pem(b"otherwise"))
            self.assertTrue(is_trusted)
            self.assertEqual(files["ca-bundle.pem"].decode(), _pem(b"otherwise") + self.added)

    def test_writes_nothing_when_there_are_no_others(self):
        self.assertEqual(self.provide("", None), (False, {}))

    def test_leaves_out_what_is_no_certificate(self):
        wrong = "-----BEGIN CERTIFICATE-----\na\n-----END CERTIFICATE-----\n"
        _, files = self.provide(wrong + _pem(b"image"))
        self.assertEqual(files["ca-bundle.pem"].decode(), _pem(b"image") + self.added)


class JavaKeystoreTest(unittest.TestCase):
    def test_has_the_certificates_and_the_digest_of_the_format(self):
        content = java_keystore.make([b"first", b"second"])
        entry = "00000002 0009 %s 0000000000000000 0005 582e353039 %08x %s"
        entries = [entry % ((b"trusted-%d" % number).hex(), len(der), der.hex()) for number, der in ((1, b"first"), (2, b"second"))]
        expected = bytes.fromhex("feedfeed 00000002 00000002" + "".join(entries))
        self.assertEqual(content[:-20], expected)
        password = "changeit".encode("utf-16-be")
        self.assertEqual(content[-20:], hashlib.sha1(password + b"Mighty Aphrodite" + expected).digest())
