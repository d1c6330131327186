"""One reply against the contract. What does not depend on the accounts is compared at once; what a reply says of an
account is kept as a Look: the account was, or became, like that at some moment between the command and the reply."""

import gzip
import json
from collections import namedtuple

import exports
from oracle.accounts import Refusal, clamped
from oracle.match import Any, OneOf, Optional, differences
from oracle.model import Model, error
from world import header_differences

# A command that was answered. `posted` and `replied`: milliseconds, of one clock.
Deed = namedtuple("Deed", "number partition offset posted replied")


class Look:
    """What a reply says of one account. `op`: create, edit, delete or get; or row and absent, of a list's page."""

    __slots__ = ("deed", "op", "target", "on_exists", "dry_run", "said", "made_before")

    def __init__(self, deed, op, target, on_exists, dry_run, said, made_before=0):
        self.deed = deed
        self.op = op
        self.target = target
        self.on_exists = on_exists
        self.dry_run = dry_run
        self.said = said
        self.made_before = made_before  # admins that a dry run would have made before this entry

    @property
    def is_change(self):
        return self.op in ("create", "edit", "delete") and not self.dry_run and self.said.get("changed") is True

    @property
    def code(self):
        return (self.said.get("error") or {}).get("code")

    @property
    def ms(self):
        return clamped(self.deed.posted)

    def __repr__(self):
        place = f"partition {self.deed.partition}, offset {self.deed.offset}"
        return f"{self.op} of {place}, which says {self.said!r:.300}"


Page = namedtuple("Page", "deed app rows last")


class Indexed:
    """The messages of one export, to be asked as a tap of all is."""

    def __init__(self, messages):
        self.messages = messages
        self.exports = self

    def select(self, wanted):
        return [message for message in self.messages if wanted(message)]

    def wait(self, count, wanted, what):
        found = self.select(wanted)
        assert len(found) >= count, f"{count} {what}, got {len(found)}"
        return found


class Witness(Model):
    def __init__(self, topics, admins_max, files):
        super().__init__(topics, admins_per_app=admins_max)
        self.files = files  # export-source: messages
        self.looks = {}  # (app, account): Looks
        self.pages = []
        self.faults = []
        self.actual = None
        self.deed = None

    def hear(self, deed, record, message):
        """Compares, and keeps what is said of accounts. Returns whether it is a dead letter's reply."""
        self.deed = deed
        self.message = message
        try:
            self.actual = message.body()
        except (ValueError, AssertionError) as failure:
            self.faults.append(f"{self.place()}: the reply cannot be read: {failure}")
            return False
        try:
            expected = self.apply(record)
        except (KeyError, TypeError, AttributeError) as failure:
            self.faults.append(f"{self.place()}: no answer to {record.value!r:.300}: {self.actual!r:.600}: {failure!r}")
            return False
        found = differences(expected.reply, self.actual, "reply")
        places = (expected.topic, expected.partition), (message.topic, message.partition)
        found += differences(*places, "topic and partition")
        found += differences(expected.key, message.key, "key")
        found += header_differences(expected.headers, message.headers)
        if found:
            self.faults.append(f"{self.place()}: {record.value!r:.300}: " + "; ".join(found)[:600])
        return expected.dead

    def place(self):
        return f"partition {self.deed.partition}, offset {self.deed.offset}"

    def look(self, command, op, target, said, made_before=0):
        found = Look(self.deed, op, target, command.on_exists, command.dry_run, said, made_before)
        self.looks.setdefault((command.app, target.account), []).append(found)

    # What follows takes the place of deciding.

    def told(self, command, reply, names):
        """The answer that has just these results; whether they are true is seen later."""
        entries = self.actual.get("results") if command.many else [self.actual]
        entries = iter(entries if isinstance(entries, list) else [])
        admins = 0

        def do(target):
            nonlocal admins
            said = next(entries, None)
            said = said if isinstance(said, dict) else {}
            self.look(command, command.op, target, said, admins)
            if said.get("status") == "ok":
                admins += command.dry_run and command.op == "create" and target.type == "admin"
                return {name: said.get(name) for name in names}
            refused = said.get("error") if isinstance(said.get("error"), dict) else {}
            raise Refusal(refused.get("code"), refused.get("revision"))

        self.answer_each(command, reply, do)

    def write(self, command, ms, expected):
        self.told(command, expected.reply, ("revision", "changed"))
        if command.dry_run:
            expected.reply["dry_run"] = True

    def get(self, command, expected):
        self.told(command, expected.reply, ("record",))

    def list(self, command, expected):
        rows = self.actual.get("rows")
        whole = self.actual.get("next") is None
        total = len(rows) if whole and isinstance(rows, list) else Any(int)
        expected.reply.update(status="ok", total=total, rows=rows, next=OneOf(None, Any(str)))
        keys = [(row["created_at"], row["account"].encode()) for row in rows]
        if keys != sorted(set(keys)) or len(keys) > command.limit or (not whole and len(keys) < command.limit):
            self.faults.append(f"{self.place()}: not a page: {self.actual!r:.600}")
        if not whole and self.actual["total"] <= len(rows):
            self.faults.append(f"{self.place()}: more rows than there are: {self.actual!r:.600}")
        self.pages.append(Page(self.deed, command.app, rows, None if whole else keys[-1]))

    def export(self, command, record, expected):
        reply, said = expected.reply, self.actual.get("export")
        if isinstance(said, dict) and isinstance(said.get("not_found"), list):
            missing = [target for target in command.targets if target.account in said["not_found"]]
            reply.update(status="partial" if missing else "ok", export=self.manifest(command, record, reply["id"]))
            kept = len(command.targets) - len(missing)
            reply["export"].update(accounts=kept, not_found=[target.account for target in missing])
            self.read_file(command, record, missing)
        else:
            missing = command.targets
            reply.update(status="error", error=error("account_not_found"))
        for target in missing:
            self.look(command, "get", target, {"status": "error", "error": {"code": "account_not_found"}})
        if command.many:
            reply.update(counts=Optional(Any(dict)), results=Optional(Any(list)))

    def read_file(self, command, record, missing):
        source = f"{record.topic}:{record.partition}:{record.offset}".encode()
        exchange = namedtuple("Exchange", "reply record")(self.actual, record)
        try:
            joined = exports.fetch(Indexed(self.files.get(source, [])), exchange)
            plain = {"none": bytes, "gzip": gzip.decompress}[command.compression](joined)
            readers = {"ndjson": exports.read_ndjson, "json": json.loads, "msgpack": exports.read_msgpack}
            records = readers[command.format](plain)
        except (AssertionError, ValueError) as failure:
            self.faults.append(f"{self.place()}: its file: {failure!r:.600}")
            return
        found = [target for target in command.targets if target not in missing]
        if [target.account for target in found] != [each.get("account") for each in records]:
            self.faults.append(f"{self.place()}: its file holds {records!r:.600}")
            return
        for target, each in zip(found, records):
            self.look(command, "get", target, {"status": "ok", "record": each})
