"""The checker itself: an honest history passes, and every way to spoil one is noticed."""

import copy
import gzip
import hashlib
import json
import random
import sys
from pathlib import Path

import msgpack
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from client import Message  # noqa: E402
from evidence import Evidence, Shown  # noqa: E402
from load import Commands  # noqa: E402
from oracle import Model, Record  # noqa: E402
from oracle.match import Any, OneOf, Optional  # noqa: E402
from oracle.model import Cursor  # noqa: E402
from oracle.routing import Topics  # noqa: E402
from verdict import judge  # noqa: E402

PARTITIONS = 3
START = 1_700_000_000_000


def concrete(value):
    """Something that matches."""
    if isinstance(value, Cursor):
        value.matches("next")
        return "next"
    if isinstance(value, Any):
        return {str: "text", int: 1, dict: {}, list: [], bytes: b"x"}[value.kind]
    if isinstance(value, OneOf):
        return concrete(value.choices[0])
    if isinstance(value, Optional):
        return concrete(value.expected)
    if isinstance(value, dict):
        return {key: concrete(each) for key, each in value.items() if not isinstance(each, Optional)}
    return [concrete(each) for each in value] if isinstance(value, list) else value


class History:
    """What a perfect accountd leaves behind: the model decides the commands, one after the other."""

    def __init__(self, admins_max=10):
        names = ("commands", "replies", "exports", "changelog", "dead_letters")
        self.topics = Topics(*names, partitions=dict.fromkeys(names, PARTITIONS))
        self.model = Model(self.topics, admins_per_app=admins_max)
        self.evidence = Evidence(self.topics, [], [], [], [], [], {})
        self.offsets = {}

    def message(self, topic, partition, timestamp, key, value, headers):
        offset = self.offsets[topic, partition] = self.offsets.get((topic, partition), -1) + 1
        return Message(topic, partition, offset, timestamp, key, value, headers)

    def post(self, partition, value, headers=(), posted=START):
        value = json.dumps(value).encode() if isinstance(value, dict) else value
        offset = sum(record.partition == partition for record in self.evidence.commands)
        record = Record("commands", partition, offset, posted, None, value, list(headers))
        self.evidence.commands.append(record)
        return record

    def decide(self, record, replied=START):
        expected = self.model.apply(record)
        body = concrete(expected.reply)
        if expected.file:
            body["export"] = self.write_file(record, expected, body)
        encoded = json.dumps(body).encode() if expected.encoding == "json" else msgpack.packb(body)
        headers = [(name, concrete(value)) for name, value in expected.headers]
        reply = self.message("replies", expected.partition, replied, concrete(expected.key), encoded, headers)
        self.evidence.replies.append(reply)
        for key, value in expected.changes:
            change = self.message("changelog", record.partition, replied, key.encode(), json.dumps(value).encode(), [])
            self.evidence.changelog.append(change)
        if expected.dead:
            place = {"partition": record.partition, "offset": record.offset}
            headers = [(f"__dlq.errors.{name}", str(value).encode()) for name, value in place.items()]
            letter = self.message("dead_letters", record.partition, replied, None, record.value, headers)
            self.evidence.dead_letters.append(letter)

    def write_file(self, record, expected, body):
        wanted = expected.file
        writers = {
            "ndjson": lambda records: b"".join(json.dumps(each).encode() + b"\n" for each in records),
            "json": lambda records: json.dumps(records).encode(),
            "msgpack": lambda records: b"".join(msgpack.packb(each) for each in records),
        }
        file = writers[wanted.format](wanted.records)
        file = gzip.compress(file) if wanted.compression == "gzip" else file
        digest = hashlib.sha256(file).hexdigest()
        said = {**body["export"], "chunks": 1, "bytes": len(file), "sha256": digest}
        name = body["id"].encode()
        common = [("export-id", name), ("export-source", ":".join(map(str, record.source().values())).encode())]
        chunk = [*common, ("export-attempt", b"1"), ("export-seq", b"1"), ("export-sha256", digest.encode())]
        chunk += [("content-type", b"x")]
        chunk += [("content-encoding", b"gzip")] if wanted.compression == "gzip" else []
        manifest = [*common, ("export-manifest", b"1")]
        for value, headers in ((file, chunk), (json.dumps(said).encode(), manifest)):
            self.evidence.exports.append(self.message("exports", 0, START, name, value, headers))
        return said

    def end(self):
        for name, app in self.model.apps.items():
            shown = self.evidence.redis[name] = Shown()
            shown.hashes = {account: content.hash() for account, content in app.accounts.items()}
            shown.index = {account: float(content.created_ms) for account, content in app.accounts.items()}
            shown.admins = app.admins()
        return self.evidence


def long_history(seed=1, count=1500, admins_max=10):
    """Commands wait in their partitions' queues, and are decided in any order between these."""
    chance, commands, history = random.Random(seed), Commands(seed, shares=(3, 4, 1)), History(admins_max)
    queues = [[] for _ in range(PARTITIONS)]
    now = START
    for _ in range(count):
        now += chance.randrange(4)
        value, headers = commands.next()
        partition = chance.randrange(PARTITIONS)
        queues[partition].append(history.post(partition, value, headers, now))
        while sum(map(len, queues)) > 20:
            queue = chance.choice([queue for queue in queues if queue])
            history.decide(queue.pop(0), now + 1)
    for queue in queues:
        for record in queue:
            history.decide(record, now + 1)
    return history.end()


@pytest.fixture(scope="module")
def honest():
    return long_history()


@pytest.fixture
def evidence(honest):
    return copy.deepcopy(honest)


def complaints(evidence, admins_max=10):
    return list(judge(evidence, admins_max).complaints(1000))


def assert_noticed(evidence, *texts, admins_max=10):
    found = complaints(evidence, admins_max)
    assert any(all(text in line for text in texts) for line in found), f"no complaint with {texts}: {found[:10]}"


def change(evidence, wanted, do, last=False):
    """Changes the first (or last) reply whose body is wanted; `do` may return another body."""
    for place in range(len(evidence.replies))[:: -1 if last else 1]:
        message = evidence.replies[place]
        body = message.body()
        if wanted(body):
            body = do(body) or body
            is_json = message.header("content-type") == b"application/json"
            message.value = json.dumps(body).encode() if is_json else msgpack.packb(body)
            return message
    raise AssertionError("the history has no such reply")


def is_change(body, op=None):
    return body.get("changed") is True and "dry_run" not in body and op in (None, body["op"])


def is_late_change(body, op=None):
    return is_change(body, op) and body["revision"] > 3


def is_malformed(body):
    return body.get("error", {}).get("code") == "malformed"


def is_refusal(code):
    return lambda body: body.get("error", {}).get("code") == code and "account" in body and "results" not in body


def test_an_honest_history(honest):
    verdict = judge(honest, 10)
    assert list(verdict.complaints(10)) == []
    assert verdict.commands == len(honest.commands) == 1500
    assert verdict.changes > 400
    assert {"ok", "partial", "malformed", "admin_limit", "revision_conflict"} <= set(verdict.codes)


@pytest.mark.parametrize("seed", range(2, 6))
def test_other_honest_histories(seed):
    assert complaints(long_history(seed)) == []


def test_a_reply_is_missing(evidence):
    del evidence.replies[700]
    assert_noticed(evidence, "lost: no reply")


def test_a_reply_comes_twice(evidence):
    evidence.replies.append(copy.copy(evidence.replies[700]))
    assert_noticed(evidence, "doubled: 2 replies")


def test_a_reply_to_nothing(evidence):
    again = change(evidence, is_change, lambda body: None)
    evidence.replies.append(copy.copy(again))
    change(evidence, is_change, lambda body: body["source"].update(offset=10**6))
    assert_noticed(evidence, "doubled: a reply to what was never posted")


def test_a_revision_comes_twice(evidence):
    """As when Redis lost a change that was answered, and gave its revision to the next one."""
    change(evidence, is_late_change, lambda body: body.update(revision=body["revision"] - 1))
    assert_noticed(evidence, "wrong", "twice")


def test_an_effect_that_came_twice(evidence):
    """Its account is one revision further than the replies can explain."""
    kept = {}
    change(evidence, lambda body: is_change(body, "edit"), kept.update, last=True)
    change(evidence, lambda body: body == kept, lambda body: body.update(revision=body["revision"] + 1))
    assert_noticed(evidence, "wrong", f"{kept['app']}/{kept['account']}: no revision {kept['revision']}")


def test_a_change_that_could_not_be(evidence):
    """A deletion that changed nothing."""
    change(evidence, lambda body: is_late_change(body, "delete"), lambda body: body.update(changed=False))
    assert_noticed(evidence, "wrong")


def test_a_false_refusal(evidence):
    code = {"code": "account_exists", "message": "x"}
    change(evidence, is_refusal("account_not_found"), lambda body: body.update(error=code))
    assert_noticed(evidence, "wrong")


@pytest.mark.parametrize("code", ["account_not_found", "account_exists", "revision_conflict", "immutable_field"])
def test_a_refusal_instead_of_a_change(evidence, code):
    """Its change is then missing, and what came after it does not follow."""

    def refuse(body):
        error = {"code": code, "message": "x", **({"revision": 1} if code == "revision_conflict" else {})}
        body.update(status="error", error=error)
        del body["revision"], body["changed"]

    change(evidence, lambda body: is_change(body, "edit"), refuse)
    assert_noticed(evidence, "wrong")


def test_internal_is_no_answer(evidence):
    error = {"code": "internal", "message": "x"}
    change(evidence, is_refusal("account_not_found"), lambda body: body.update(error=error))
    assert_noticed(evidence, "wrong")


def test_a_malformed_command_that_was_served(evidence):
    change(evidence, is_malformed, lambda body: body.update(status="ok"))
    assert_noticed(evidence, "wrong")


# What was read. Two partitions, by hand: each step is (partition, command, posted, replied).

CREATE = {"op": "create", "app": "demo", "account": "a", "profile": {"level": 0}}
EDIT = {"op": "edit", "app": "demo", "account": "a", "profile": {"level": 1}}
GET = {"op": "get", "app": "demo", "account": "a"}
LIST = {"op": "list", "app": "demo"}


def on_b(command):
    return {**command, "account": "b"}


def short_history(*steps):
    history = History()
    for partition, command, posted, replied in steps:
        history.decide(history.post(partition, command, posted=START + posted), START + replied)
    return history.end()


def swap_answers(evidence, one, other):
    """The answers of two equal commands are exchanged, all but what names the command."""
    first, second = evidence.replies[one].body(), evidence.replies[other].body()
    for place, own, others in ((one, first, second), (other, second, first)):
        named = {key: own[key] for key in ("id", "at", "source")}
        evidence.replies[place].value = json.dumps({**others, **named}).encode()


def test_a_read_of_what_was_long_gone():
    steps = [(0, CREATE, 0, 10), (1, GET, 20, 30), (0, EDIT, 40, 50), (1, GET, 60, 70)]
    evidence = short_history(*steps)
    assert complaints(evidence) == []
    evidence.replies[3].value = evidence.replies[3].value.replace(b'"revision": 2', b'"revision": 1')
    assert_noticed(evidence, "not true between revisions 2 and 2")


def test_a_read_of_what_is_yet_to_come():
    evidence = short_history((0, CREATE, 0, 10), (1, GET, 20, 30), (0, EDIT, 40, 50), (1, GET, 60, 70))
    swap_answers(evidence, 1, 3)
    assert_noticed(evidence, "not true between revisions 1 and 1")


def test_reads_of_a_partition_that_go_back_in_time():
    """All of it at once, so that only the partition's order speaks against it."""
    steps = [(0, CREATE, 0, 99), (1, GET, 0, 99), (0, EDIT, 0, 99), (1, GET, 0, 99)]
    evidence = short_history(*steps)
    assert complaints(evidence) == []
    swap_answers(evidence, 1, 3)
    assert_noticed(evidence, "not true between revisions 2 and 2")


def test_a_partition_that_does_not_see_its_own_change():
    steps = [(0, CREATE, 0, 99), (0, GET, 0, 99), (0, EDIT, 0, 99), (0, GET, 0, 99)]
    evidence = short_history(*steps)
    swap_answers(evidence, 1, 3)
    assert_noticed(evidence, "was at revision 2 already")


def test_a_content_that_never_was():
    evidence = short_history((0, CREATE, 0, 99), (1, GET, 0, 99))
    evidence.replies[1].value = evidence.replies[1].value.replace(b'"level": 0', b'"level": 7')
    assert_noticed(evidence, "not true between revisions 0 and 1")


def test_reads_that_fit_no_single_order():
    """Each partition sees its own change and not yet the other one's: true of each account, but not of both."""
    steps = [(0, CREATE, 0, 5), (1, on_b(CREATE), 0, 5)]
    steps += [(0, EDIT, 10, 99), (0, on_b(GET), 10, 99), (1, on_b(EDIT), 10, 99), (1, GET, 10, 99)]
    evidence = short_history(*steps)
    assert complaints(evidence) == []
    old = {"level": 0}
    stale = json.loads(evidence.replies[5].value)
    stale["record"].update(revision=1, profile=old, updated_at=stale["record"]["created_at"])
    evidence.replies[5].value = json.dumps(stale).encode()
    assert_noticed(evidence, "each of these 4 must have come before the next one")


def test_refusals_that_fit_no_single_order():
    """The same with two accounts that were not there yet."""
    get_c = {**GET, "account": "c"}
    evidence = short_history((0, CREATE, 0, 99), (0, on_b(GET), 0, 99), (1, on_b(CREATE), 0, 99), (1, get_c, 0, 99))
    assert complaints(evidence) == []
    # Partition 0 says, after its create of a, that b is not there; now partition 1 says the same the other way round.
    evidence.commands[3].value = json.dumps(GET).encode()
    evidence.replies[3].value = evidence.replies[3].value.replace(b'"account": "c"', b'"account": "a"')
    evidence.replies[3].key = b"a"
    assert_noticed(evidence, "each of these 4 must have come before the next one")


# Lists.


def rows_of(body):
    return body.get("op") == "list" and len(body.get("rows") or []) > 2 and body["next"] is None


def test_a_row_is_missing(evidence):
    change(evidence, rows_of, lambda body: body.update(rows=body["rows"][1:], total=body["total"] - 1), last=True)
    assert_noticed(evidence, "absent")


def test_a_total_that_is_not_that_of_the_rows(evidence):
    change(evidence, rows_of, lambda body: body.update(total=body["total"] + 1))
    assert_noticed(evidence, "reply.total")


def test_a_row_of_an_account_that_never_was(evidence):
    row = {"account": "zz", "type": "general", "created_at": "2999-01-01T00:00:00.000Z"}
    change(evidence, rows_of, lambda body: body.update(rows=[*body["rows"], row], total=body["total"] + 1))
    assert_noticed(evidence, "/zz: not true")


def test_a_row_of_another_time(evidence):
    change(evidence, rows_of, lambda body: body["rows"][0].update(nickname="never"))
    assert_noticed(evidence, "not true", "row of")


def test_a_list_in_disorder(evidence):
    change(evidence, rows_of, lambda body: body["rows"].reverse())
    assert_noticed(evidence, "not a page")


# Batches, admins, files.


def test_an_entry_of_a_batch(evidence):
    def lie(body):
        entry = next(entry for entry in body["results"] if entry.get("changed"))
        entry["revision"] += 1

    def changed(body):
        return "dry_run" not in body and any(entry.get("changed") for entry in body.get("results", []))

    change(evidence, changed, lie)
    assert_noticed(evidence, "wrong")


def test_counts_of_a_batch(evidence):
    change(evidence, lambda body: "counts" in body, lambda body: body["counts"].update(ok=body["counts"]["ok"] + 1))
    assert_noticed(evidence, "reply.counts.ok")


def test_too_many_admins():
    assert_noticed(long_history(admins_max=12), "had 1", "admins")


def test_admins_refused_though_there_was_room():
    assert_noticed(long_history(admins_max=5), "there was room for an admin")


def test_a_file_that_is_not_what_the_manifest_says(evidence):
    chunk = next(message for message in evidence.exports if message.header("export-seq"))
    chunk.value += b"x"
    assert_noticed(evidence, "its file")


def test_a_file_is_missing(evidence):
    evidence.exports.clear()
    assert_noticed(evidence, "its file")


# Where the reply went.


def test_a_reply_in_another_partition(evidence):
    evidence.replies[5].partition = (evidence.replies[5].partition + 1) % PARTITIONS
    assert_noticed(evidence, "topic and partition")


def test_another_correlation_id(evidence):
    message = next(each for each in evidence.replies if each.header("kafka_correlationId"))
    message.headers = [(name, b"other" if name == "kafka_correlationId" else value) for name, value in message.headers]
    assert_noticed(evidence, "headers.kafka_correlationId")


def test_a_header_is_missing(evidence):
    evidence.replies[5].headers = [pair for pair in evidence.replies[5].headers if pair[0] != "accountd-status"]
    assert_noticed(evidence, "headers.accountd-status")


# Dead letters, changelog, Redis.


def test_a_dead_letter_is_missing(evidence):
    evidence.dead_letters.pop()
    assert_noticed(evidence, "lost: no dead letter")


def test_a_dead_letter_comes_twice(evidence):
    evidence.dead_letters.append(evidence.dead_letters[0])
    assert_noticed(evidence, "doubled: a dead letter")


def test_a_change_is_missing(evidence):
    evidence.changelog.pop(100)
    assert_noticed(evidence, "lost: changelog")


def test_a_change_comes_twice(evidence):
    evidence.changelog.append(copy.copy(evidence.changelog[100]))
    assert_noticed(evidence, "doubled: changelog")


def test_a_change_of_nobody(evidence):
    other = copy.copy(evidence.changelog[0])
    other.key = b"crowd/nobody"
    evidence.changelog.append(other)
    assert_noticed(evidence, "changelog: no reply says")


def test_a_change_with_another_content(evidence):
    value = json.loads(evidence.changelog[100].value)
    evidence.changelog[100].value = json.dumps({**value, "type": "other", "at": "x"}).encode()
    assert_noticed(evidence, "wrong: changelog")


def test_a_change_in_another_partition(evidence):
    evidence.changelog[100].partition = (evidence.changelog[100].partition + 1) % PARTITIONS
    assert_noticed(evidence, "wrong: changelog", "in partition")


def test_changes_out_of_order(evidence):
    same = [i for i, message in enumerate(evidence.changelog) if message.partition == 1]
    one, other = same[10], same[90]
    evidence.changelog[one], evidence.changelog[other] = evidence.changelog[other], evidence.changelog[one]
    assert_noticed(evidence, "out of its partition's order")


SPOILED = {
    "a field": lambda shown: next(iter(shown.hashes.values())).update(level="12345"),
    "a hash is missing": lambda shown: shown.hashes.popitem(),
    "a hash too many": lambda shown: shown.hashes.update(nobody={}),
    "the index lacks one": lambda shown: shown.index.popitem(),
    "a score": lambda shown: shown.index.update({next(iter(shown.index)): 1.0}),
    "an admin is missing": lambda shown: shown.admins.pop(),
    "an admin too many": lambda shown: shown.admins.add("nobody"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_another_redis(evidence, how):
    SPOILED[how](evidence.redis["court"])
    assert_noticed(evidence, "wrong: redis court")


def test_an_app_of_nobody(evidence):
    evidence.redis["stranger"] = Shown(hashes={"a": {}})
    assert_noticed(evidence, "wrong: redis stranger")
