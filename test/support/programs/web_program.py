"""A program behind a preview: pages, uploads, events, WebSockets. Its argument is the port."""

import base64
import hashlib
import itertools
import json
import socketserver
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler

PAGE = b"""<!doctype html><title>Preview</title><h1>Hello from the sandbox</h1><p id="said">waiting</p>
<script>
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
  socket.onopen = () => socket.send('from the page');
  socket.onmessage = ({ data }) => (document.getElementById('said').textContent = 'echo: ' + data);
</script>
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0]
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.web_socket()
        elif path == "/":
            self.answer(PAGE, "text/html", ("Set-Cookie", "wide=1; Domain=localhost; Path=/"), ("Set-Cookie", "own=1"))
        elif path == "/headers":
            self.answer(json.dumps(self.headers.items()).encode(), "application/json")
        elif path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://localhost:%d/headers" % self.server.server_address[1])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/events":
            self.events(range(3))
        elif path == "/clock":
            self.events(itertools.count())
        elif path == "/endless":
            self.endless()
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def do_POST(self):
        """Answers with the digest of the content."""
        digest = hashlib.sha256()
        size = 0
        for piece in self.content():
            digest.update(piece)
            size += len(piece)
        self.answer(json.dumps({"size": size, "sha256": digest.hexdigest()}).encode(), "application/json")

    do_PUT = do_POST

    def handle_expect_100(self):
        if self.path == "/unwanted":
            self.send_response(417)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            return False
        return super().handle_expect_100()

    def content(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                piece = self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return
                yield piece
        left = int(self.headers.get("Content-Length", 0))
        while left:
            piece = self.rfile.read(min(left, 65536))
            left -= len(piece)
            yield piece

    def answer(self, content, kind, *headers):
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def begin_chunks(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def events(self, numbers):
        self.begin_chunks("text/event-stream")
        for number in numbers:
            self.chunk(b"data: %d\n\n" % number)
            time.sleep(0.2)
        self.chunk(b"")

    def endless(self):
        self.begin_chunks("application/octet-stream")
        while True:
            self.chunk(bytes(65536))

    def web_socket(self):
        """Sends each message back (RFC 6455), until the client closes."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while True:
            head = self.rfile.read(2)
            if len(head) < 2:
                return
            size = head[1] & 127
            if size == 126:
                size = struct.unpack(">H", self.rfile.read(2))[0]
            mask = self.rfile.read(4)
            content = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(size)))
            length = bytes((size,)) if size < 126 else b"\x7e" + struct.pack(">H", size)
            self.wfile.write(head[:1] + length + content)
            if head[0] & 15 == 8:
                return

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever()
