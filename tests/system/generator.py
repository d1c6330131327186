"""A seeded load of mixed commands, good and bad. Each partition has an app and accounts of its own, so that
the order within the partition decides every answer."""

import collections
import json
import random
import time

import msgpack

import exports
from servers import wait_for

# Small batches, so that a moment chosen at random falls between the steps of one.
SMALL = {"worker": {"threads": 2, "batch_max": 20}}

RUBBISH = [None, b"", b"{", b"\xc1", b'{"op":"get","op":"get"}', b"\xdd\xff\xff\xff\xff", b"\0\1\2\3\4{}{}"]


class Load:
    def __init__(self, seed, partitions, accounts=60):
        self.random = random.Random(seed)
        self.partitions = partitions
        self.accounts = accounts
        self.clock = 1700000000000

    def post(self, world, count):
        """Posts `count` commands and waits until the broker has them."""
        for _ in range(count):
            partition = self.random.randrange(self.partitions)
            self.clock += self.random.choice([0, 1, 7])
            world.post(self.value(partition), partition=partition, timestamp=self.clock, **self.extras())
        world.poster.flush()

    def extras(self):
        headers = [("kafka_correlationId", self.random.randbytes(16))] if self.random.random() < 0.3 else []
        return {"headers": headers, "key": self.random.choice([None, b"k"])}

    def value(self, partition):
        if self.random.random() < 0.03:
            return self.random.choice(RUBBISH)
        command = {"app": f"p{partition}", **self.command()}
        if self.random.random() < 0.3:
            command["id"] = f"c-{self.random.randrange(1000)}"
        return msgpack.packb(command) if self.random.random() < 0.5 else json.dumps(command).encode()

    def command(self):
        makers = {
            self.create: 30,
            self.edit: 35,
            self.delete: 10,
            self.get: 8,
            self.create_many: 4,
            self.edit_many: 4,
            self.delete_many: 2,
            self.list: 2,
            self.export: 1,
            self.refused: 4,
        }
        return self.random.choices(list(makers), list(makers.values()))[0]()

    def name(self):
        return f"n{self.random.randrange(self.accounts)}"

    def names(self):
        return self.random.sample([f"n{i}" for i in range(self.accounts)], self.random.randint(1, 12))

    def profile(self):
        choose = self.random
        fields = {
            "nickname": lambda: choose.choice([None, "", "N" * choose.randint(1, 40), "Ω"]),
            "level": lambda: choose.choice([None, choose.randrange(4), 4294967295]),
            "location": lambda: choose.choice(["x", "y" * 16]),
            "gender": lambda: choose.choice(["female", "male", None]),
            "custom": lambda: {choose.choice("abcdefghijklmnopqrstuvwxyz"): choose.choice(["1", "2", None])},
        }
        return {name: fields[name]() for name in choose.sample(list(fields), choose.randint(0, 4))}

    def sometimes(self, **fields):
        return {name: value for name, value in fields.items() if self.random.random() < 0.15}

    def create(self):
        optional = self.sometimes(
            type="admin", dry_run=True, on_exists=self.random.choice(["update", "skip", "error"]), profile=self.profile()
        )
        return {"op": "create", "account": self.name(), **optional}

    def edit(self):
        optional = self.sometimes(if_revision=self.random.randrange(8), dry_run=True, type="general")
        return {"op": "edit", "account": self.name(), "profile": self.profile(), **optional}

    def delete(self):
        return {"op": "delete", "account": self.name(), **self.sometimes(if_revision=self.random.randrange(8))}

    def get(self):
        return {"op": "get", **self.random.choice([{"account": self.name()}, {"accounts": self.names()}])}

    def create_many(self):
        entries = [{"account": name, **self.sometimes(type="admin", profile=self.profile())} for name in self.names()]
        return {"op": "create", "accounts": entries, **self.sometimes(on_exists="update", dry_run=True)}

    def edit_many(self):
        return {"op": "edit", "accounts": self.names(), "profile": self.profile(), **self.sometimes(dry_run=True)}

    def delete_many(self):
        return {"op": "delete", "accounts": self.names(), **self.random.choice([{"confirm": True}, {}])}

    def list(self):
        return {"op": "list", **self.sometimes(limit=self.random.randint(1, 50))}

    def export(self):
        form = self.random.choice(["ndjson", "csv", "json", "msgpack"])
        return {"op": "export", "accounts": self.names(), "format": form}

    def refused(self):
        return self.random.choice(
            [
                {"op": "erase"},
                {"op": "edit", "account": self.name()},
                {"op": "get", "account": "a b"},
                {"op": "create", "account": self.name(), "profile": {"level": -1}},
                {"op": "list", "nonsense": 1},
            ]
        )


def answered(world):
    return sum(len(tap.since()) for tap, _ in world.reply_taps)


def wait_until_it_works(world, chance, burst):
    """Mostly until some replies of the burst are there, and a moment more; sometimes just a moment."""
    if chance.random() < 0.25:
        time.sleep(chance.uniform(0, 2))
        return
    wanted = max(answered(world), len(world.posted) - burst) + chance.randint(1, burst // 2)
    wanted = min(wanted, len(world.posted))
    wait_for(lambda: f"{wanted} replies, got {answered(world)}\n{world.logs()}", lambda: answered(world) >= wanted, 30, 0.001)
    time.sleep(chance.uniform(0, 0.03))


def check_everything(world):
    """Every reply, change, dead letter, export and hash against the model."""
    total = len(world.posted)
    wait_for(lambda: f"{total} replies, got {answered(world)}\n{world.logs()}", lambda: answered(world) >= total, 90)
    exchanges = [world.check(record) for record in world.posted]
    world.check_exactly_once()
    world.check_changelog()
    world.check_redis()
    dead = [(m.partition, dict(m.headers)["__dlq.errors.offset"]) for m in world.dead_letters.drain()]
    expected = [(e.record.partition, str(e.record.offset).encode()) for e in exchanges if e.expected.dead]
    assert sorted(dead) == sorted(expected)
    world.exports.drain()
    for exchange in exchanges:
        if exchange.expected.file:
            exports.check(world, exchange)
    codes = collections.Counter(exchange.code or exchange.reply["status"] for exchange in exchanges)
    print(f"{total} commands answered once each: {dict(codes)}")
