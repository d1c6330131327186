"""Random commands with several faults each: code, field and effect as the model has them."""

import random

import msgpack

OPS = ["create", "edit", "delete", "get", "list", "export"]
ODD = ["", "x", "a b", "é", "x" * 33, "x" * 600, 0, 1, -1, 3.0, 1.5, 2**32, 2**53, True, False, [], {}, [1], {"a": 1}, None]
PLAIN = ["", "text", "x" * 16, "é" * 9, "x" * 501, "a\tb", None]


class Maker:
    def __init__(self, seed, app):
        self.random = random.Random(seed)
        self.app = app

    def maybe(self, valid, chance=0.93):
        """Mostly a valid value."""
        return valid if self.random.random() < chance else self.random.choice(ODD)

    def some(self, fields, at_most):
        names = self.random.sample(list(fields), self.random.randint(0, min(at_most, len(fields))))
        return {name: fields[name]() for name in names}

    def name(self):
        return self.maybe(f"n{self.random.randrange(6)}")

    def profile(self):
        pick = self.random.choice
        fields = {
            "nickname": lambda: self.maybe(pick(PLAIN)),
            "avatar_url": lambda: self.maybe(pick(["http://a", "https://b/c?d", "http://", "ftp://x", ""])),
            "gender": lambda: self.maybe(pick(["female", "male", "unknown", "", None])),
            "birthday": lambda: self.maybe(pick(["2000-02-29", "1900-02-29", "0001-01-01", "2000-1-1", None])),
            "location": lambda: self.maybe(pick(PLAIN)),
            "signature": lambda: self.maybe(pick(PLAIN)),
            "allow_type": lambda: self.maybe(pick(["need_confirm", "allow_any", "deny_any", "", None])),
            "language": lambda: self.uint(),
            "message_settings": lambda: self.uint(),
            "admin_forbid": lambda: self.maybe(pick(["none", "send_out", None])),
            "level": lambda: self.uint(),
            "role": lambda: self.uint(),
            "custom": lambda: self.maybe(self.custom()),
            "nonsense": lambda: pick(ODD),
        }
        if self.random.random() < 0.9:
            del fields["nonsense"]
        return self.maybe(self.some(fields, 4), 0.97)

    def uint(self):
        return self.maybe(self.random.choice([0, 1, 7.0, 4294967295, None]))

    def custom(self):
        tags = ["a", "Bc", "abcdefgh"] + (["abcdefghi", "a1", ""] if self.random.random() < 0.1 else [])
        return self.some({tag: lambda: self.maybe(self.random.choice(["v", "", None])) for tag in tags}, 3)

    def entry(self, op):
        if self.random.random() < 0.4:
            return self.name()
        fields = {"type": self.type, "profile": self.profile, "if_revision": self.revision}
        allowed = {"create": ["type", "profile"], "edit": ["type", "profile", "if_revision"], "delete": ["if_revision"]}
        own = {name: fields[name] for name in allowed.get(op, [])}
        more = fields if self.random.random() < 0.05 else own
        return {**({"account": self.name()} if self.random.random() < 0.97 else {}), **self.some(more, 3)}

    def type(self):
        return self.maybe(self.random.choice(["general", "general", "admin"]))

    def revision(self):
        return self.maybe(self.random.randrange(4))

    def command(self):
        pick = self.random.choice
        op = pick(OPS)
        fields = {
            "v": lambda: self.maybe(1),
            "id": lambda: self.maybe("id-1"),
            "type": self.type,
            "profile": self.profile,
            "if_revision": self.revision,
            "on_exists": lambda: self.maybe(pick(["error", "update", "skip"])),
            "confirm": lambda: self.maybe(pick([True, False])),
            "dry_run": lambda: self.maybe(pick([True, False])),
            "limit": lambda: self.maybe(pick([1, 2, 1000])),
            "after": lambda: self.maybe(None),
            "format": lambda: self.maybe(pick(["ndjson", "json", "csv", "msgpack"])),
            "compression": lambda: self.maybe(pick(["none", "gzip", "zstd"])),
            "nonsense": lambda: pick(ODD),
        }
        known = {
            "create": "v id type profile on_exists dry_run",
            "edit": "v id type profile if_revision dry_run",
            "delete": "v id if_revision confirm dry_run",
            "get": "v id",
            "list": "v id limit after",
            "export": "v id format compression",
        }[op].split()
        own = fields if self.random.random() < 0.05 else {name: fields[name] for name in known}
        command = {"op": self.maybe(op, 0.98), "app": self.maybe(self.app, 0.97), **self.some(own, 5)}
        if op == "edit":
            command.setdefault("profile", self.profile())
        if op != "list" or self.random.random() < 0.03:
            many = self.random.random() < 0.3
            if many:
                command["accounts"] = self.maybe([self.entry(op) for _ in range(self.random.randint(1, 4))], 0.97)
            if not many or self.random.random() < 0.03:
                command["account"] = self.name()
        for name in list(command):
            if self.random.random() < 0.01:
                del command[name]
        items = list(command.items())
        self.random.shuffle(items)
        return dict(items)


def test_random_commands(shared, app, seed):
    maker = Maker(seed, app)
    commands = [maker.command() for _ in range(2000)]
    values = [msgpack.packb(command) if number % 2 else command for number, command in enumerate(commands)]
    codes = {exchange.code for exchange in shared.send(*values)}
    assert len(codes) > 8, codes
    shared.check_redis(app)
