"""Connections to Redis that break at the worst moment, a command that kills, a Redis that lost its memory."""

import contextlib
import random
import signal
import threading
import time

import pytest

from generator import SMALL, Load
from proxy import Proxy
from servers import wait_for

pytestmark = pytest.mark.long

CREATE = {"op": "create", "app": "demo"}

# Its name is spelled so that the raw bytes, which a dead letter repeats, do not hold it: only a commit that
# really creates the account does.
POISON = b'{"op":"create","app":"demo","account":"\\u0070oison"}'


@pytest.fixture
def behind(world):
    """A world whose daemon reaches Redis through a proxy; the daemon is not started yet."""
    proxies = []

    def make(**how):
        here = world(start=False, **how)
        proxies.append(Proxy(here.redis_server.port))
        here.daemon(start=False, redis={"port": proxies[0].port})
        return here, proxies[0]

    yield make
    for proxy in proxies:
        proxy.close()


def answer_lost(connection):
    """The commit takes effect, its answer never arrives."""
    connection.forward()
    connection.await_answer()
    connection.cut()


def call_lost(connection):
    """The commit never arrives."""
    connection.cut()


def call_late(connection):
    """The daemon sees the connection break; the commit takes effect only after that."""
    connection.cut_client()
    time.sleep(0.3)
    connection.server.sendall(connection.held)
    connection.held = b""
    connection.await_answer()
    connection.server.close()


@pytest.mark.parametrize("fault", [answer_lost, call_lost, call_late])
def test_a_connection_that_breaks_at_the_commit(behind, fault):
    here, proxy = behind(settings={"worker": {"threads": 2, "batch_max": 10}})
    here.daemons[0].start()
    here.ask({**CREATE, "account": "counter"})
    broken = []
    for turn in range(5):
        name = f"victim-{turn}"

        def act(connection):
            proxy.needle = None
            broken.append(name)
            fault(connection)

        proxy.step_in(name.encode(), act)
        commands = []
        for step in range(20):
            commands.append({"op": "edit", "app": "demo", "account": "counter", "profile": {"level": turn * 100 + step}})
            if step == 11:
                commands.append({**CREATE, "account": name, "profile": {"level": turn}})
        here.send(*commands)
    assert len(broken) == 5, "the proxy did not see the commits"
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()
    here.daemons[0].stop()


def test_a_batch_that_was_published_but_not_noted_as_such(behind):
    """Its account is free for other partitions after the restart, although nothing more comes through its own."""
    here, proxy = behind(partitions=2)
    daemon = here.daemons[0]
    killed = threading.Event()

    def act(connection):
        proxy.needle = None
        daemon.process.kill()
        connection.cut()
        killed.set()

    daemon.start()
    proxy.step_in(b"_note\r\n", act)
    created = here.post({**CREATE, "account": "a"}, partition=0)
    here.poster.flush()
    assert killed.wait(15), "the proxy saw no note"
    daemon.process.wait()
    daemon.start(ready=False)
    edited = here.post({"op": "edit", "app": "demo", "account": "a", "profile": {"level": 1}}, partition=1)
    here.poster.flush()
    assert here.reply_to(created).body()["revision"] == 1
    assert here.reply_to(edited).body()["revision"] == 2
    here.check_exactly_once()
    daemon.stop()


def killed_at_the_commit_of(here, proxy, name):
    """Restarts the daemon as often as it is killed at a commit that has the account among its arguments (a dead
    letter only quotes it); returns how often that was."""
    daemon = here.daemons[0]
    kills = []

    def act(connection):
        kills.append(time.monotonic())
        daemon.process.kill()
        connection.cut()

    proxy.step_in(b"\r\n" + name + b"\r\n", act)
    daemon.start(ready=False)

    def all_answered():
        if not daemon.running():
            assert len(kills) < 20, f"killed {len(kills)} times, and still tried\n{here.logs()}"
            daemon.process.wait()
            daemon.start(ready=False)
        return all(here.messages_of(record) for record in here.posted)

    wait_for(lambda: f"all replies, {len(kills)} kills\n{here.logs()}", all_answered, 90)
    return len(kills)


def test_a_command_that_ends_the_process_three_times(behind):
    here, proxy = behind(partitions=1)
    record = here.post(POISON, key=b"key", headers=[("h", b"v")])
    here.poster.flush()
    assert killed_at_the_commit_of(here, proxy, b"poison") == 3
    refused = here.messages_of(record)[0].body()
    assert (refused["status"], refused["error"]["code"]) == ("error", "internal")
    letter = here.dead_letters.wait(1, what="dead letters")[0]
    assert (letter.key, letter.value, letter.headers[0]) == (b"key", record.value, ("h", b"v"))
    assert letter.header("accountd-error-code") == b"internal"
    assert here.redis.exists("acct:{demo}:poison") == 0
    # The line goes on, and the same command later, when nothing kills, is served.
    proxy.needle = None
    here.daemons[0].wait_ready()
    assert here.ask({**CREATE, "account": "good"}).reply["revision"] == 1
    assert here.ask(POISON).reply["revision"] == 1
    here.check_exactly_once()
    here.check_redis()
    assert len(here.dead_letters.drain()) == 1


def test_only_the_command_that_kills_is_set_aside(behind):
    """Its neighbours in the batch are innocent, and are served."""
    here, proxy = behind(partitions=1)
    names = ["before-1", "before-2", "poison", "after-1", "after-2"]
    records = {name: here.post(POISON if name == "poison" else {**CREATE, "account": name}) for name in names}
    here.poster.flush()
    killed_at_the_commit_of(here, proxy, b"poison")
    codes = {name: here.messages_of(record)[0].body().get("error", {}).get("code") for name, record in records.items()}
    assert codes == {**dict.fromkeys(names), "poison": "internal"}
    here.check_exactly_once()
    assert sorted(here.redis.zrange("accounts:{demo}", 0, -1)) == sorted(set(names) - {"poison"})


def asleep(here):
    here.redis_server.process.send_signal(signal.SIGSTOP)
    yield
    here.redis_server.process.send_signal(signal.SIGCONT)


def full(here):
    here.redis.config_set("maxmemory", "1")
    yield
    here.redis.config_set("maxmemory", "0")


def without_replicas(here):
    here.redis.config_set("min-replicas-to-write", "1")
    yield
    here.redis.config_set("min-replicas-to-write", "0")


@pytest.mark.parametrize("trouble", [asleep, full, without_replicas])
def test_trouble_that_passes(world, trouble):
    """The commands wait, the daemon says so, and then goes on by itself."""
    here = world()
    here.ask({**CREATE, "account": "a"})
    passing = trouble(here)
    next(passing)
    records = [here.post({**CREATE, "account": f"n{i}"}, partition=i % 2) for i in range(50)]
    here.poster.flush()
    daemon = here.daemons[0]
    wait_for(lambda: f"not ready\n{here.logs()}", lambda: daemon.http("/readyz")[0] == 503, 15)
    assert daemon.http("/livez")[0] == 200
    time.sleep(2)  # longer than the group's session timeout: it must stay a member, or come back as one
    assert daemon.running() and not any(here.messages_of(record) for record in records)
    next(passing, None)
    for record in records:
        assert here.check(record, 30).reply["revision"] == 1
    daemon.wait_ready()
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()
    daemon.stop()


def test_partitions_that_move_while_redis_sleeps(world):
    """A process comes and dies while batches are held: whoever gets the partitions back must fetch from them."""
    here = world(partitions=2)
    first = here.daemons[0]
    for partition in (0, 1):
        here.send({**CREATE, "account": f"a{partition}"}, partition=partition)
    with contextlib.contextmanager(asleep)(here):
        waiting = [here.post({**CREATE, "account": f"b{partition}"}, partition=partition) for partition in (0, 1)]
        here.poster.flush()
        wait_for(here.logs, lambda: first.http("/readyz")[0] == 503, 15)
        second = here.daemon(start=False)
        second.start(ready=False)
        wait_for(here.logs, lambda: "assigned" in second.log(), 30)
        second.kill()
        before = first.told("assigned")
        wait_for(here.logs, lambda: first.told("assigned") > before, 30)
    for record in waiting:
        assert here.check(record, 30).reply["revision"] == 1
    for partition in (0, 1):
        assert here.ask({**CREATE, "account": f"c{partition}"}, partition=partition).reply["revision"] == 1
    here.check_exactly_once()
    first.stop()


def test_connections_that_break_under_load(world, seed):
    """CLIENT KILL at random moments, again and again."""
    chance = random.Random(seed)
    load = Load(seed, partitions=2)
    here = world(settings=SMALL)
    for _ in range(10):
        load.post(here, 300)
        for _ in range(5):
            time.sleep(chance.uniform(0, 0.05))
            here.redis.client_kill_filter(_type="normal", skipme=True)
    for record in here.posted:
        here.check(record, 60)
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()
    here.daemons[0].stop()
