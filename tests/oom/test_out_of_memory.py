"""An allocation fails, at each place of a batch and at each step of it: every command still has its one effect and
its one reply, and the process lives."""

import itertools
import json
import mmap
import os
import struct
import subprocess
import threading
import time

import msgpack
import pytest

from generator import Load, check_everything
from servers import BUILD, Kafka, wait_for
from world import World

OWN, HIREDIS, ARENA = 1, 2, 4  # as in failing.c
KINDS = {OWN: "malloc of accountd", HIREDIS: "malloc of hiredis", ARENA: "the arena"}
FIELDS = ["kinds", "fail_at", "burst", "depth", "count", "failed", "kind"]
FRAMES = 10
BYTES = 8 * (len(FIELDS) + FRAMES)
PLACES_BYTES = 8 * 8192

# Daemons that are tried at once: most of the time each of them waits before it tries again.
SIDE_BY_SIDE = int(os.environ.get("OOM_SIDE_BY_SIDE", "6"))

# How many of the innermost calls tell one place from another: with 10 there are four times as many.
DEPTH = int(os.environ.get("OOM_DEPTH", "4"))


class Control:
    """The page that tells failing.c what to do."""

    def __init__(self, file):
        file.write_bytes(bytes(BYTES))
        self.file = file
        with open(file, "r+b") as opened:
            self.page = mmap.mmap(opened.fileno(), BYTES)

    def __getitem__(self, name):
        return struct.unpack_from("q", self.page, 8 * FIELDS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("q", self.page, 8 * FIELDS.index(name), value)

    def arm(self, kinds, fail_at=0, burst=1):
        self["kinds"] = 0
        self["count"], self["failed"], self["fail_at"], self["burst"], self["depth"] = 0, 0, fail_at, burst, DEPTH
        self["kinds"] = kinds

    def disarm(self):
        """Returns how many allocations there were, and how many failed."""
        self["kinds"] = 0
        return self["count"], self["failed"]

    def place(self):
        """Where the last one failed, in words."""
        frames = [f"{at:#x}" for at in struct.unpack_from(f"{FRAMES}q", self.page, 8 * len(FIELDS)) if at]
        command = ["addr2line", "-s", "-f", "-e", BUILD / "accountd", *frames]
        lines = subprocess.run(command, capture_output=True, text=True).stdout.split("\n")
        calls = [f"{name} ({where})" for name, where in zip(lines[::2], lines[1::2]) if "??" not in where]
        return f"{KINDS.get(self['kind'])}: {' < '.join(calls)}"


@pytest.fixture(scope="module")
def kafka():
    broker = Kafka()
    yield broker
    broker.close()


@pytest.fixture
def tried(kafka, tmp_path):
    """Worlds whose daemons' memory can be made to run out."""
    made = []

    def make(count, **how):
        os.environ["OOM_PLACES"] = str(tmp_path / "places")
        (tmp_path / "places").write_bytes(bytes(PLACES_BYTES))
        for number in range(count):
            directory = tmp_path / str(number)
            directory.mkdir()
            world = World(kafka, directory, f"oom{next(numbers)}", 2, start=False, **how)
            made.append(world)
            world.control = Control(directory / "control")
            os.environ["OOM_CONTROL"] = str(world.control.file)
            world.daemon()
            del os.environ["OOM_CONTROL"]
        del os.environ["OOM_PLACES"]
        return made

    yield make
    for world in made:
        world.close()


numbers = itertools.count(1)


def side_by_side(worlds, work):
    """work(world) for all of them at once."""
    failures = []

    def run(world):
        try:
            work(world)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=[world]) for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def try_once(world, post):
    """Posts commands while an allocation is to fail, and waits for all replies."""
    process = world.daemons[0].process
    before = len(world.posted)
    post()
    world.poster.flush()

    def told():
        return f"replies, after the failure of {world.control.place()}\n{world.logs()}"

    def all_there():
        assert process.poll() is None, f"ended with {process.returncode}, after the failure of {world.control.place()}\n{world.logs()}"
        return all(world.messages_of(record) for record in world.posted[before:])

    wait_for(told, all_there, 30, 0.002)
    count, failed = world.control.disarm()
    if failed:
        for record in world.posted[before:]:
            assert len(world.messages_of(record)) == 1, told()
    return count, failed


def mixed(world, number):
    """A batch with one command of each kind; the two workers take turns, so that each finds its cache stale."""
    partition = number % 2
    names = [f"n{i}" for i in range(4)]
    profile = {"nickname": "N" * (number % 40), "level": number, "custom": {"a": str(number), "b": "c"}}
    commands = [
        {"op": "create", "account": "n0", "on_exists": "update", "profile": profile},
        {"op": "create", "accounts": [{"account": name, "type": "admin"} for name in names], "profile": {"gender": "male"}},
        {"op": "edit", "account": "n1", "profile": {"custom": {"a": None, "x": "y"}, "level": None}},
        {"op": "get", "accounts": [*names, "nobody"]},
        {"op": "delete", "account": f"n{2 + number % 2}"},
        {"op": "edit", "account": "n0", "nonsense": 1},
        {"op": "export", "accounts": names, "format": "csv", "compression": "gzip"},
        {"op": "list", "limit": 3},
    ]
    for n, command in enumerate(commands):
        command = {"app": "demo", **command}
        value = msgpack.packb(command) if n % 2 else json.dumps(command).encode()
        headers = [("kafka_correlationId", b"1234")]
        world.post(value, partition=partition, key=b"k", headers=headers, timestamp=1700000000000 + number)
    world.post(b"{rubbish", partition=partition, timestamp=1700000000000 + number)


def each_allocation(worlds):
    """The first, the second and so on, until a batch has no more."""
    numbers = itertools.count(1)
    failures = []

    def work(world):
        for number in range(6):
            try_once(world, lambda: mixed(world, number))
        missed = 0
        for number in itertools.count(6):
            world.control.arm(OWN | HIREDIS, next(numbers))
            _, failed = try_once(world, lambda: mixed(world, number))
            failures.append(failed)
            missed = 0 if failed else missed + 1
            if missed == 3:
                return

    side_by_side(worlds, work)
    return failures


def each_place(worlds):
    """Random commands, until there is no place left where an allocation has not failed."""
    failures = []

    def work(world):
        load = Load(worlds.index(world), partitions=2, accounts=20)
        missed = 0
        while missed < 4:
            world.control.arm(OWN | HIREDIS | ARENA)
            _, failed = try_once(world, lambda: load.post(world, 10))
            failures.append(failed)
            missed = 0 if failed else missed + 1

    side_by_side(worlds, work)
    return failures


def each_allocation_of_a_rebalance(worlds):
    """Another process comes and goes; three failures in a row, so that the next try meets one too. A process that comes
    may take both partitions with it, and few allocations are left: the one that goes brings them back."""
    failures = []

    def rebalance(world, other, number):
        before = world.daemons[0].told("assigned")
        world.control.arm(OWN, number, burst=3)
        if other.running():
            other.stop()
        else:
            other.start(ready=False)
        wait_for(world.logs, lambda: world.daemons[0].told("assigned") > before, 30)
        return try_once(world, lambda: mixed(world, number))[1]

    def work(world):
        other = world.daemon(start=False)
        for number in range(worlds.index(world) * 2 + 1, worlds.index(world) * 2 + 3):
            failures.append(rebalance(world, other, number) or rebalance(world, other, number))

    side_by_side(worlds, work)
    return failures


@pytest.mark.timeout(900)
def test_out_of_memory(tried):
    worlds = tried(SIDE_BY_SIDE, settings={"worker": {"threads": 2, "batch_max": 100}})
    for part, at_least in ((each_allocation, 50), (each_place, 100), (each_allocation_of_a_rebalance, 2 * SIDE_BY_SIDE)):
        started = time.monotonic()
        failures = part(worlds)
        met = sum(failed > 0 for failed in failures)
        print(f"{part.__name__}: {met} of {len(failures)} batches met a failure, {time.monotonic() - started:.1f} s")
        assert met >= at_least
    for world in worlds:
        check_everything(world)
        world.daemons[0].wait_ready()
        world.daemons[0].stop()
