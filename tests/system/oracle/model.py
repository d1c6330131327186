"""The whole contract as one function: a record goes in, what must come out is returned, the state moves on."""

import json
from dataclasses import dataclass, field

from oracle import rules
from oracle.accounts import App, Refusal, as_time, clamped
from oracle.decode import Malformed, decode, encoding
from oracle.match import Any, OneOf, Optional
from oracle.routing import last, route

REPLY_BYTES_MAX = 900 * 1024
MSGPACK_TYPES = (b"application/msgpack", b"application/x-msgpack", b"application/vnd.msgpack")


@dataclass
class Record:
    """A message on the command topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes = None
    value: bytes = None
    headers: list = field(default_factory=list)

    def source(self):
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}


@dataclass
class File:
    """What an export must contain."""

    records: list
    format: str
    compression: str
    columns: list  # None: all


@dataclass
class Expected:
    reply: dict
    encoding: str
    topic: str
    partition: int
    key: object
    headers: list
    changes: list = field(default_factory=list)  # (key, value) of the changelog, in order
    file: File = None

    @property
    def dead(self):
        return self.reply.get("error", {}).get("code") in ("malformed", "internal")


class Cursor:
    """Matches the `next` of a list, and remembers what it stands for."""

    def __init__(self, cursors, after):
        self.cursors = cursors
        self.after = after

    def matches(self, actual):
        if not isinstance(actual, str) or not actual:
            return False
        self.cursors[actual] = self.after
        return True

    def __repr__(self):
        return f"<cursor after {self.after}>"


class FirstRows:
    """Matches a list's rows that were cut for the size of the reply: a beginning of them, not a short one."""

    def __init__(self, rows, cursor, order):
        self.rows, self.cursor, self.order = rows, cursor, order

    def matches(self, actual):
        if not isinstance(actual, list) or not actual or actual != self.rows[: len(actual)]:
            return False
        self.cursor.after = self.order[len(actual) - 1]
        return len(actual) < len(self.rows)

    def __repr__(self):
        return f"<a beginning of {len(self.rows)} rows>"


def error(code, path=None, revision=None):
    content = {"code": code, "message": Any(str)}
    if path is None:
        content["field"] = Optional(Any(str))  # the contract does not say which field a refusal by state blames
    elif path == (None,):
        pass
    elif None in path:
        content["field"] = Optional(OneOf(*[choice for choice in path if choice]))
    else:
        content["field"] = OneOf(*path) if len(path) > 1 else path[0]
    if revision is not None:
        content["revision"] = revision
    return content


def compact_size(reply):
    return len(json.dumps(reply, default=lambda _: "x" * 60, ensure_ascii=False, separators=(",", ":")).encode())


class Model:
    def __init__(self, topics, apps=(), admins_per_app=10, command_bytes=1048576):
        self.topics = topics
        self.allowed_apps = apps
        self.admins_per_app = admins_per_app
        self.command_bytes = command_bytes
        self.apps = {}
        self.cursors = {}

    def app(self, name):
        return self.apps.setdefault(name, App())

    def apply(self, record):
        way = route(record, self.topics)
        reply = {
            "v": 1,
            "id": f"{record.topic}:{record.partition}:{record.offset}",
            "at": as_time(clamped(record.timestamp)),
            "source": record.source(),
        }
        content_type = last(record.headers, "content-type")[1]
        expected = Expected(reply, encoding(record.value, content_type), way.topic, way.partition, record.key, [])
        try:
            tree = decode(record.value, content_type, self.command_bytes)
        except Malformed:
            reply.update(status="error", error=error("malformed", (None,)))
        else:
            self.apply_tree(tree, record, way, expected)
        self.finish(expected, record, way)
        return expected

    def apply_tree(self, tree, record, way, expected):
        said = rules.echo(tree)
        account = said.pop("account", None)
        expected.reply.update(said)
        checker = rules.Checker(tree, lambda text: text in self.cursors)
        fault = rules.first_fault(checker.run() + way.faults + self.policy_faults(tree))
        op = said.get("op")
        if account is not None:
            certain = op not in (None, "list") and tree.get("accounts") is None and tree.get("all") is None
            expected.reply["account"] = account if certain else Optional(account)
        if fault:
            expected.reply.update(status="error", error=error(fault.code, fault.field))
            if tree.get("dry_run") is True:
                expected.reply["dry_run"] = Optional(True)
            return
        command = rules.read(tree)
        if command.op == "list":
            self.list(command, expected)
        elif command.op == "export":
            self.export(command, record, expected)
        elif command.op == "get":
            self.get(command, expected)
        else:
            self.write(command, clamped(record.timestamp), expected)

    def policy_faults(self, tree):
        faults = []
        if self.allowed_apps and tree.get("app") not in self.allowed_apps:
            faults.append(rules.Fault("app_forbidden", "app"))
        if tree.get("op") == "delete" and tree.get("accounts") is not None and tree.get("confirm") is not True:
            faults.append(rules.Fault("confirmation_required", "confirm"))
        return faults

    def finish(self, expected, record, way):
        reply = expected.reply
        if record.key is not None and len(record.key) > 1024:
            name = reply.get("account")
            expected.key = OneOf(None, name.encode()) if isinstance(name, str) else None
        elif record.key is None and isinstance(reply.get("account"), str):
            expected.key = reply["account"].encode()
        elif record.key is None and "account" in reply:
            expected.key = OneOf(None, reply["account"].expected.encode())
        expected.headers = list(way.headers) + [("accountd-status", reply["status"].encode())]
        types = MSGPACK_TYPES if expected.encoding == "msgpack" else (b"application/json",)
        expected.headers.append(("content-type", OneOf(*types)))
        if reply["status"] == "error":
            expected.headers.append(("accountd-code", reply["error"]["code"].encode()))

    def answer_each(self, command, reply, do):
        """Entry by entry; `do` returns what an ok answer holds or raises a refusal."""
        results = []
        for target in command.targets:
            try:
                results.append({"account": target.account, "status": "ok", **do(target)})
            except Refusal as refusal:
                refused = error(refusal.code, revision=refusal.revision)
                results.append({"account": target.account, "status": "error", "error": refused})
        good = sum(result["status"] == "ok" for result in results)
        if not command.many:
            reply.update(results[0])
            return
        reply["counts"] = {"ok": good, "error": len(results) - good}
        reply["results"] = results
        reply["status"] = "ok" if good == len(results) else "partial" if good else "error"
        if not good:
            reply["error"] = results[0]["error"]

    def write(self, command, ms, expected):
        app = self.app(command.app)
        work = app.copy()

        def do(target):
            if command.op == "create":
                revision, changed = work.create(target, command.on_exists, ms, self.admins_per_app)
            elif command.op == "edit":
                revision, changed = work.edit(target, ms)
            else:
                revision, changed = work.delete(target)
            if changed and not command.dry_run:
                change = self.change(command.app, target.account, work, revision, ms)
                expected.changes.append((f"{command.app}/{target.account}", change))
            return {"revision": revision, "changed": changed}

        self.answer_each(command, expected.reply, do)
        if command.dry_run:
            expected.reply["dry_run"] = True
        else:
            self.apps[command.app] = work

    @staticmethod
    def change(app, name, work, revision, ms):
        if name in work.accounts:
            return work.accounts[name].record(app, name)
        return {"app": app, "account": name, "deleted": True, "revision": revision, "at": as_time(ms)}

    def get(self, command, expected):
        app = self.app(command.app)

        def do(target):
            return {"record": app.existing(target).record(command.app, target.account)}

        self.answer_each(command, expected.reply, do)
        if compact_size(expected.reply) > REPLY_BYTES_MAX:
            for name in ("counts", "results", "record"):
                expected.reply.pop(name, None)
            expected.reply.update(status="error", error=error("reply_too_large"))

    def list(self, command, expected):
        app = self.app(command.app)
        names = app.ordered()
        rest = names
        if command.after is not None:
            after = self.cursors[command.after]
            rest = [name for name in names if (app.accounts[name].created_ms, name.encode()) > after]
        page = rest[: command.limit]
        order = [(app.accounts[name].created_ms, name.encode()) for name in page]
        reply = expected.reply
        reply.update(status="ok", total=len(names), rows=[app.accounts[name].row(name) for name in page], next=None)
        if compact_size(reply) > REPLY_BYTES_MAX:
            reply["next"] = Cursor(self.cursors, order[-1])
            reply["rows"] = FirstRows(reply["rows"], reply["next"], order)
        elif len(page) < len(rest):
            reply["next"] = Cursor(self.cursors, order[-1])

    def export(self, command, record, expected):
        app, reply = self.app(command.app), expected.reply
        named = app.ordered() if command.whole_app else [target.account for target in command.targets]
        found = [name for name in named if name in app.accounts]
        missing = [name for name in named if name not in app.accounts]
        if missing and not found:
            reply.update(status="error", error=error("account_not_found"))
        else:
            reply.update(status="partial" if missing else "ok", export=self.manifest(command, record, reply["id"]))
            reply["export"].update(accounts=len(found), not_found=missing)
            records = [app.accounts[name].record(command.app, name) for name in found]
            if command.whole_app:
                # Accounts that were created too early or too late are not even read.
                within = [record for record in records if command.within(record)]
                chosen = [record for record in within if command.chooses(record)]
                reply["export"].update(
                    accounts=len(chosen), read=len(within), gone=0, left_out=len(within) - len(chosen)
                )
                records = chosen
            expected.file = File(records, command.format, command.compression, command.columns)
        if command.many:
            # Whether an export of several also brings the counts of section 3 is left open.
            reply.update(counts=Optional(Any(dict)), results=Optional(Any(list)))

    @staticmethod
    def manifest(command, record, export_id):
        return {
            "export_id": export_id,
            "source": OneOf(record.source(), ":".join(map(str, record.source().values()))),
            "attempt": Any(int),
            "app": command.app,
            "format": command.format,
            "compression": command.compression,
            "chunks": Any(int),
            "bytes": Any(int),
            "sha256": Any(str),
        }
