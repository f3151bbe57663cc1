"""Programs that know nothing of us ask for names, as they do in a sandbox without resolv.conf."""

import subprocess
import sys
import tempfile

from own_network import OwnNetwork
from resolver_test_case import ResolverTestCase

PAGE = b"a page from outside"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(PAGE), PAGE)


class NameResolutionTest(ResolverTestCase):
    def setUp(self):
        with tempfile.TemporaryDirectory() as directory:
            self.network = OwnNetwork(directory)
        self.addCleanup(self.network.close)
        self.requests = []  # (name, port, the request's bytes)
        self.answered = set()
        super().setUp()
        self.answers["allowed.example"] = [80, 443]

    def choose_dns_port(self):
        return 53

    def open_agent(self, memory_events=None):
        return super().open_agent(memory_events, prefix=self.network.prefix)

    def serve(self):
        """Is a web server on every name, too."""
        super().serve()
        for stream in self.streams.offered:
            if stream.accepted is None and not stream.reset:
                stream.accept()
            if stream.data.endswith(b"\r\n\r\n") and stream.id not in self.answered:
                self.answered.add(stream.id)
                self.requests.append((stream.header["name"], stream.header["port"], stream.data))
                stream.send_data(RESPONSE)
                stream.send_eof()

    def run_program(self, *command):
        """Returns (exit code, output) of a program in the sandbox's network."""
        with open(self.path("output"), "w+b") as output:
            program = subprocess.Popen([*self.network.prefix, *command], stdout=output, stderr=subprocess.STDOUT)
            self.addCleanup(program.wait)
            self.serve_until(lambda: program.poll() is not None)
            output.seek(0)
            return program.returncode, output.read().decode()

    def test_gives_an_address_and_its_name_when_the_c_library_asks(self):
        code, output = self.run_program("getent", "ahosts", "Allowed.Example")
        self.assertEqual(code, 0, output)
        addresses = {line.split()[0] for line in output.splitlines()}
        self.assertEqual(len(addresses), 1)
        (address,) = addresses
        self.assertRegex(address, r"^127\.\d+\.\d+\.\d+$")
        self.assertEqual(set(self.asked), {"allowed.example"})
        self.assertEqual(self.run_program("getent", "hosts", address)[1].split(), [address, "allowed.example"])

    def test_gives_no_address_when_the_c_library_asks_for_another_name(self):
        self.answers["down.example"] = "failed"
        for name in ("denied.example", "down.example", "127.1.example.1", "b\u00fccher.example", "a" * 63 + ".example"):
            self.assertEqual(self.run_program("getent", "ahosts", name), (2, ""), name)
        self.assertEqual(self.run_program("getent", "ahostsv6", "allowed.example")[0], 2)

    def test_carries_a_page_when_python_fetches_it_from_a_name(self):
        script = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
        self.assertEqual(self.run_program(sys.executable, "-c", script, "http://allowed.example/x"), (0, PAGE.decode() + "\n"))
        ((name, port, request),) = self.requests
        self.assertEqual((name, port), ("allowed.example", 80))
        self.assertTrue(request.startswith(b"GET /x HTTP/1.1\r\n"))
        code, output = self.run_program(sys.executable, "-c", script, "http://denied.example/x")
        self.assertEqual(code, 1)
        self.assertIn("Name or service not known", output)

    def test_carries_a_page_and_answers_its_own_resolver_when_node_asks(self):
        fetched = "fetch('http://allowed.example/').then((answer) => answer.text()).then(console.log)"
        self.assertEqual(self.run_program("node", "-e", fetched), (0, PAGE.decode() + "\n"))
        # c-ares, a resolver of its own.
        asked = "require('dns').resolve4('%s', (error, found) => console.log(error ? error.code : found.length))"
        self.assertEqual(self.run_program("node", "-e", asked % "allowed.example"), (0, "1\n"))
        self.assertEqual(self.run_program("node", "-e", asked % "denied.example"), (0, "ENOTFOUND\n"))
