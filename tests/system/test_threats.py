"""What somebody who may post commands can try: each answer that docs/security.md promises and no other test shows."""

import json
import re

from confluent_kafka import Producer

from servers import ROOT, wait_for

# Names that would end a key, a hash tag, a pattern or a line, if they got that far.
HOSTILE = [
    "}:x",
    "{x}",
    "demo}:alice",
    "a:b",
    "*",
    "a b",
    "a\r\nSET acct:{demo}:x y\r\n",
    "a\x00b",
    "../a",
    "a\n<2>accountd: forged",
    "\x1b[31mred",
    "%s%n",
    "$(id)",
    "é",
    "",
    "x" * 33,
]


def lasting_keys(world) -> set[str]:
    """All keys of Redis but the outboxes, which go a moment after the reply that a client waits for."""
    return {key for key in world.redis.keys("*") if not re.fullmatch(r"accountd:outbox:\d+(:next)?", key)}


def test_names_stay_out_of_redis(shared, app):
    """No name that is not made of harmless characters gets into a key or a call of Redis."""
    shared.ask({"op": "create", "app": app, "account": "alice"})
    before = lasting_keys(shared)
    for name in HOSTILE:
        for op in ("create", "get", "export"):
            assert shared.ask({"op": op, "app": name, "account": "alice"}).field == "app"
            assert shared.ask({"op": op, "app": app, "account": name}).field == "account"
            assert shared.ask({"op": op, "app": app, "accounts": ["alice", name]}).code == "invalid_field"
        custom = {"op": "edit", "app": app, "account": "alice", "profile": {"custom": {name: "x"}}}
        assert shared.ask(custom).reply["status"] == "error"
        shared.ask({"op": "list", "app": app, "after": name})
    assert lasting_keys(shared) == before
    shared.check_redis(app)


def test_values_are_no_part_of_a_call(shared, app):
    """A value may be anything that is text; it is an argument, and stays in its field."""
    profile = {"nickname": "*3 $3 SET $1 x", "signature": "\n'); redis.call('FLUSHALL') --\t"}
    shared.ask({"op": "create", "app": app, "account": "alice", "profile": profile})
    assert shared.redis.hget(f"acct:{{{app}}}:alice", "signature") == profile["signature"]
    shared.check_redis(app)


def test_lines_of_the_log_cannot_be_forged(world):
    """What a command holds begins no line of the log and reaches no terminal, with all that is logged."""
    here = world(settings={"log": {"level": "debug"}, "kafka": {"reply_topics": ["^.*$"]}})
    forged = "x\n<2>accountd: forged\r\x1b[2J"
    headers = [
        (name, forged.encode())
        for name in ("kafka_replyTopic", "reply_to", "kafka_correlationId", "traceparent", "content-type", forged)
    ]
    for value in (
        {"op": forged, "app": forged, "account": forged, "id": forged, forged: forged},
        {"op": "create", "app": "demo", "account": "a", "profile": {"signature": forged[:20], forged: 1}},
        forged.encode(),
    ):
        here.ask(value, key=forged.encode(), headers=headers)
    text = here.daemons[0].errors.read_bytes()
    assert b"\n<2>accountd" not in text and b"\x1b" not in text and b"\r" not in text
    assert b'traceparent="x\\n<2>accountd: forged\\x0d\\x1b[2J"' in text
    here.daemons[0].stop()


def test_a_bomb_of_compressed_records(shared, app):
    """64 MiB that a producer's compression makes 64 KiB of: answered, and the memory goes back."""
    daemon = shared.daemons[0]
    before = daemon.resident_kb()
    settings = {"bootstrap.servers": shared.kafka.address, "message.max.bytes": 100_000_000}
    for method in ("gzip", "zstd"):
        bomb = Producer({**settings, "compression.type": method})
        came = []
        bomb.produce(
            shared.topics.commands,
            bytes(64 << 20),
            partition=0,
            on_delivery=lambda error, message, came=came: came.append((error, message)),
        )
        assert bomb.flush(60) == 0
        [(error, message)] = came
        if error is not None:  # the broker refuses what does not get small enough
            assert "MSG_SIZE_TOO_LARGE" in str(error), error
            continue
        place = (shared.topics.commands, 0, message.offset())

        def reply():
            shared.messages_of(shared.posted[-1])
            return shared.by_source.pop(place, None)

        [answer] = wait_for(f"the reply to {method}", reply, 60)
        assert json.loads(answer.value)["error"]["code"] == "malformed"
    assert shared.ask({"op": "create", "app": app, "account": "a"}).reply["status"] == "ok"
    wait_for(
        lambda: f"the memory back: {before} KiB before, {daemon.resident_kb()} now",
        lambda: daemon.resident_kb() < before + 32 * 1024,
        30,
    )


def test_the_threat_model_names_tests_that_there_are():
    model = (ROOT / "docs" / "security.md").read_text().split("## Threat model")[1].split("\n## ")[0]
    named = re.findall(r"`((?:system|unit)/\w+\.(?:py|c))`(?: \(([^)]*)\))?", model)
    assert len(named) > 15
    rows = [row for row in model.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 8
    for row in rows:
        assert re.search(r"`(?:system|unit)/", row) or "not prevented" in row, f"no test: {row}"
    for file, tests in named:
        text = (ROOT / "tests" / file).read_text()
        for test in re.findall(r"`(\w+)`", tests):
            assert re.search(rf"\b{test}\(", text), f"{file} has no {test}"
