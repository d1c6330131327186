"""A TCP proxy before Redis that lets a test step in when accountd sends the commit that names an account."""

import re
import selectors
import socket
import threading

CALL = re.compile(rb"\b(FCALL|EVALSHA)\b", re.IGNORECASE)


class Proxy:
    """`act(connection)` is called once for each commit that holds `needle`, before it is forwarded; it may
    use forward(), await_answer() and cut() of the connection. Without an act, everything passes."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.needle = None
        self.act = None
        self.reword = bytes  # what Redis says as the client hears it
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def step_in(self, needle, act):
        self.act = act
        self.needle = needle

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=Connection(self, client).run, daemon=True).start()

    def close(self):
        self.needle = None
        self.listener.close()


class Connection:
    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.server = socket.create_connection(proxy.target)
        for side in (self.client, self.server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = b""  # what the client sent since the server spoke last
        self.held = b""  # what was not forwarded yet
        self.open = True

    def run(self):
        watch = selectors.DefaultSelector()
        for side in (self.client, self.server):
            watch.register(side, selectors.EVENT_READ)
        try:
            while self.open:
                for key, _ in watch.select(1):
                    data = key.fileobj.recv(1 << 20)
                    if not data:
                        self.cut()
                    elif key.fileobj is self.server:
                        self.request = b""
                        self.client.sendall(self.proxy.reword(data))
                    else:
                        self.take(data)
                    if not self.open:
                        break
        except OSError:
            self.cut()
        watch.close()

    def take(self, data):
        self.request += data
        self.held = data
        needle = self.proxy.needle
        if needle and needle in self.request and CALL.search(self.request):
            self.request = b""
            self.proxy.act(self)
        self.forward()

    def forward(self):
        if self.held and self.open:
            self.server.sendall(self.held)
        self.held = b""

    def await_answer(self, seconds=5):
        """Until Redis has done what was forwarded; the answer goes nowhere."""
        self.server.settimeout(seconds)
        self.server.recv(1 << 20)

    def cut(self):
        self.open = False
        self.client.close()
        self.server.close()

    def cut_client(self):
        """The client sees the connection break; what it sent may still arrive."""
        self.open = False
        self.client.close()
