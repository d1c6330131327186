"""The log of the real program: every line is one event, whatever comes in; JSON for machines, <n> for journald."""

import json
import re

from servers import free_port, wait_for

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FORGED = b'x"\n<0>{"level":"error","message":"forged"}\n2026-01-01T00:00:00.000Z error forged\xff\x1b[31m'


def lines_of(daemon):
    return daemon.errors.read_bytes().decode().splitlines()


def test_json_lines(world):
    """Fields of commands, and nothing that a producer sends begins a line or ends a string."""
    here = world(settings={"log": {"level": "debug", "format": "json"}})
    daemon = here.daemons[0]
    created = here.ask(
        {"op": "create", "app": "demo", "account": "alice", "id": "cmd-1"}, headers=[("traceparent", TRACE.encode())]
    )
    here.ask({"op": "get", "app": "demo", "account": "alice"}, headers=[("traceparent", FORGED)])
    here.ask({"op": "get", "app": 'd"\n<0>forged', "account": "b\nforged"})
    spoiled = here.ask(b'{"op":"get","\n<0>forged":\xff')
    daemon.stop()
    events = [json.loads(line) for line in lines_of(daemon)]
    for event in events:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", event["at"]), event
        assert event["level"] in ("error", "warning", "info", "debug") and event["message"], event
        assert not re.match("<|forged", event["message"]), event
    commands = [event for event in events if "op" in event]
    assert len(commands) == 4, commands
    place = {"partition": created.record.partition, "offset": created.record.offset}
    wanted = {"op": "create", "code": "ok", "id": "cmd-1", "app": "demo", "account": "alice", "traceparent": TRACE}
    assert commands[0].items() >= {**wanted, **place, "level": "debug"}.items()
    assert commands[1]["traceparent"].startswith('x"\n<0>{"level":"error"')
    assert commands[2]["code"] == "invalid_field" and "app" not in commands[2]
    dead = commands[3]
    assert (dead["level"], dead["code"], dead["offset"]) == ("warning", "malformed", spoiled.record.offset)


def test_text_lines_are_limited(world):
    """A producer that floods the dead letters gets fifty lines, and one that tells of the others."""
    here = world(partitions=1)
    daemon = here.daemons[0]
    here.send(*[b"no JSON \n2026-01-01T00:00:00.000Z error forged"] * 120)
    daemon.stop()
    lines = lines_of(daemon)
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z (error|warning|info) ", line) for line in lines), lines
    dead = [line for line in lines if "dead letters" in line and "suppressed" not in line]
    # More where the flood took longer than the ten seconds of one count.
    told = sum(int(re.search(r" suppressed=(\d+)$", line).group(1)) for line in lines if " suppressed=" in line)
    assert 50 <= len(dead) < 120 and len(dead) + told == 120, lines
    assert ' partition=0 offset=0 op="none" code="malformed"' in dead[0]


def test_librdkafka_speaks_through_it(world):
    """A broker that is not there: librdkafka's own lines are lines like the others, and counted."""
    here = world(start=False)
    nowhere = {"brokers": f"127.0.0.1:{free_port()}"}
    daemon = here.daemon(start=False, kafka=nowhere, log={"format": "json"}).start(ready=False)

    def said():
        return [event for event in map(json.loads, lines_of(daemon)) if "facility" in event]

    wait_for(daemon.log, said, 15)
    assert said()[0]["message"].startswith("kafka: ") and said()[0]["level"] == "warning", said()
    counts = re.findall(r"^accountd_kafka_errors_total (\d+)$", daemon.http("/metrics")[1], re.M)
    assert int(counts[0]) > 0
    daemon.stop()


def test_journald(world, monkeypatch):
    """Where stderr is journald's, each line has its priority, and no time."""
    here = world(start=False)
    daemon = here.daemon(start=False)
    daemon.errors.touch()
    status = daemon.errors.stat()
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    daemon.start()
    here.ask(b"no JSON\n<0>forged")
    daemon.stop()
    lines = lines_of(daemon)
    assert all(re.match(r"<[346]>[A-Za-z]", line) for line in lines), lines
    assert any(line.startswith("<4>command put to the dead letters: ") for line in lines), lines
