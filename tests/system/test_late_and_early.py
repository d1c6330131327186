"""A process that stops between two steps of a batch, while another one takes its partition over."""

import signal
import time

import pytest

from proxy import Proxy
from servers import wait_for

pytestmark = pytest.mark.long

CREATE = {"op": "create", "app": "demo", "profile": {"level": 1}}


class Pair:
    """Two daemons with one partition each, both behind a proxy of their own."""

    def __init__(self, world):
        self.here = world(partitions=2, settings={"worker": {"threads": 1, "batch_max": 20}}, start=False)
        self.proxies = [Proxy(self.here.redis_server.port) for _ in range(2)]
        for proxy in self.proxies:
            self.here.daemon(redis={"port": proxy.port})
        for partition in range(2):  # both are at work, and know their partitions
            self.here.ask({**CREATE, "account": f"first-{partition}"}, partition=partition)

    def stop_at_commit(self, name, forwarded):
        """Whichever process sends the commit that names this account falls asleep, its call done or held back."""
        self.stopped = []

        def act(daemon):
            def stop(connection):
                for proxy in self.proxies:
                    proxy.needle = None
                daemon.send(signal.SIGSTOP)
                call, connection.held = connection.held, b""
                if forwarded:
                    connection.server.sendall(call)
                self.stopped.append((daemon, connection, call))

            return stop

        for proxy, daemon in zip(self.proxies, self.here.daemons):
            proxy.step_in(name, act(daemon))

    def asleep(self):
        wait_for(lambda: f"a commit\n{self.here.logs()}", lambda: self.stopped, 10)
        return self.stopped[0]

    def check(self):
        self.here.check_exactly_once()
        self.here.check_changelog()
        self.here.check_redis()
        for daemon in self.here.daemons:
            daemon.wait_ready()
            daemon.stop()


@pytest.fixture
def pair(world):
    made = Pair(world)
    yield made
    for proxy in made.proxies:
        proxy.close()


@pytest.mark.parametrize("op", ["create", "get"])
def test_a_commit_that_arrives_too_late(pair, op):
    """Its partition belongs to another process, which has decided the same command and more."""
    here = pair.here
    name = "late"
    command = {**CREATE, "account": name}
    if op == "get":
        here.ask(command)
        command = {"op": "get", "app": "demo", "account": name}
    pair.stop_at_commit(name.encode(), forwarded=False)
    record = here.post(command)
    here.poster.flush()
    daemon, connection, call = pair.asleep()
    here.check(record, 30)  # by the other process, once the group has noticed
    edit = {"op": "edit", "app": "demo", "account": "first-0"}
    here.send(*({**edit, "profile": {"level": level}} for level in range(2, 12)))
    connection.server.sendall(call)
    time.sleep(0.3)  # Redis refuses the call, and nothing shows that it has been there,
    other = next(each for each in here.daemons if each is not daemon)
    other.kill()  # not even to a process that finds out anew what was done
    other.start(ready=False)
    here.send(*({**edit, "profile": {"level": level}} for level in range(12, 22)))
    here.check_redis()
    daemon.send(signal.SIGCONT)
    here.send(*({**edit, "profile": {"level": level}} for level in range(22, 32)))
    here.ask({**CREATE, "account": "last"}, partition=1)
    pair.check()


def test_no_answer_builds_on_an_unanswered_change(pair):
    """A change that is in Redis while its reply is not out yet: what another partition says of that account
    waits, be it a read or a refusal."""
    here = pair.here
    pair.stop_at_commit(b"shaky", forwarded=True)
    change = here.post({**CREATE, "account": "shaky"})
    here.poster.flush()
    daemon, _, _ = pair.asleep()
    wait_for("the change in Redis", lambda: here.redis.exists("acct:{demo}:shaky"))
    read = here.post({"op": "get", "app": "demo", "account": "shaky"}, partition=1)
    refused = here.post({**CREATE, "account": "shaky"}, partition=1)
    here.poster.flush()
    wait_for(lambda: f"any reply\n{here.logs()}", lambda: here.messages_of(read) or here.messages_of(change), 30)
    # The reply to the change is the first one; both may become visible together.
    wait_for("the reply to the change, before one that builds on it", lambda: here.messages_of(change), 0.5)
    for record in (change, read, refused):
        here.check(record)
    daemon.send(signal.SIGCONT)
    pair.check()
