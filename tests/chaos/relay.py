"""Stable addresses in front of servers that come, go and change: TCP relays in a process of their own, which can be
pointed at another server, and which can hold, slow, refuse and reset what passes."""

import asyncio
import contextlib
import json
import multiprocessing
import random
import socket
import struct
import threading

from servers import free_port

CHUNK = 1 << 16


class Relay:
    """The side of the tests: one relay, told what to do."""

    def __init__(self, relays, name):
        self.relays = relays
        self.name = name
        self.port = free_port()
        self.tell(port=self.port)

    def tell(self, **what):
        self.relays.tell(self.name, what)

    def point_at(self, port):
        """New connections go there; those that are open stay until they are cut."""
        self.tell(target=port)

    def hold(self):
        """Nothing passes any more, as if the cable were pulled; what comes waits."""
        self.tell(held=True)

    def slow(self, seconds):
        """Every piece takes so much longer, in each direction."""
        self.tell(delay=seconds)

    def refuse(self):
        """New connections are reset at once."""
        self.tell(refuses=True)

    def reset_at_random(self, seconds):
        """Each connection is reset after a random time, `seconds` on average."""
        self.tell(lifetime=seconds)

    def cut(self):
        """Resets all connections."""
        self.tell(cut=True)

    def calm(self):
        """What was held passes on; from now on nothing is done to what passes."""
        self.tell(held=False, delay=0, refuses=False, lifetime=0)


class Relays:
    """The process of the relays. It ends with the tests, whose end closes the pipe."""

    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_main, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.lock = threading.Lock()

    def add(self, name):
        return Relay(self, name)

    def tell(self, name, what):
        """Returns when it is done."""
        with self.lock:
            self.pipe.send(json.dumps([name, what]))
            answer = self.pipe.recv()
            assert answer == "done", answer

    def close(self):
        self.pipe.close()
        self.process.join(10)


class Server:
    """The side of the process: a listener and the connections through it."""

    def __init__(self):
        self.target = None
        self.delay = 0
        self.refuses = False
        self.lifetime = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.connections = set()

    async def do(self, what):
        if "port" in what:
            await asyncio.start_server(self.accept, "127.0.0.1", what["port"], backlog=1000)
        self.target = what.get("target", self.target)
        self.delay = what.get("delay", self.delay)
        self.refuses = what.get("refuses", self.refuses)
        self.lifetime = what.get("lifetime", self.lifetime)
        if "held" in what:
            self.gate.clear() if what["held"] else self.gate.set()
        if what.get("cut"):
            for writers in list(self.connections):
                reset(*writers)
        if what.get("lifetime"):
            for writers in list(self.connections):
                self.limit(writers)

    def limit(self, writers):
        """Resets the connection some time from now, unless calm has come until then."""

        def end():
            if self.lifetime:
                reset(*writers)

        asyncio.get_running_loop().call_later(random.expovariate(1 / self.lifetime), end)

    async def accept(self, reader, writer):
        if self.refuses or self.target is None:
            reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            reset(writer)
            return
        writers = (writer, server_writer)
        for side in writers:
            side.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(writers)
        if self.lifetime:
            self.limit(writers)
        pumps = [self.pump(reader, server_writer), self.pump(server_reader, writer)]
        try:
            await asyncio.gather(*pumps)
        except OSError:
            reset(*writers)
        finally:
            self.connections.discard(writers)
            for side in writers:
                side.close()

    async def pump(self, reader, writer):
        while data := await reader.read(CHUNK):
            await self.gate.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
        await self.gate.wait()
        with contextlib.suppress(OSError):
            writer.write_eof()


def reset(*writers):
    """Ends connections without the goodbye."""
    for writer in writers:
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()


async def _serve(pipe):
    loop = asyncio.get_running_loop()
    servers, ended = {}, loop.create_future()

    async def do(name, what):
        try:
            await servers.setdefault(name, Server()).do(what)
            pipe.send("done")
        except Exception as error:
            pipe.send(repr(error))

    def heard():
        try:
            name, what = json.loads(pipe.recv())
        except EOFError:
            loop.remove_reader(pipe.fileno())
            ended.set_result(None)
            return
        running.add(task := loop.create_task(do(name, what)))
        task.add_done_callback(running.discard)

    running = set()
    loop.set_exception_handler(lambda *_: None)  # of connections that end as they are meant to
    loop.add_reader(pipe.fileno(), heard)
    await ended


def _main(pipe):
    asyncio.run(_serve(pipe))
