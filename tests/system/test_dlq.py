"""accountctl dlq on the real broker: dead letters are shown as they are, and posted again once, whatever dies."""

import base64
import json
import random
import subprocess
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from client import Tap
from servers import BUILD, WITH_PARENT, wait_for
from world import World

ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x9b31m"


class Ctl:
    """Runs accountctl with the configuration of a world's first daemon."""

    def __init__(self, world):
        self.command = [str(BUILD / "accountctl"), "-c", str(world.daemons[0].config)]

    def __call__(self, *arguments, raw=False):
        done = subprocess.run(
            [*self.command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
        out = done.stdout if raw else done.stdout.decode()
        return done.returncode, out, done.stderr.decode()

    def json(self, *arguments, code=0):
        status, out, said = self(*arguments, "--json")
        assert status == code, (status, out, said)
        return [json.loads(line) for line in out.splitlines()]

    def start(self, *arguments):
        command = [*WITH_PARENT, *self.command, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    """Two partitions and a daemon, for all tests that leave them as they are."""
    made = World(kafka, tmp_path_factory.mktemp("dlq"), "dlq", 2)
    yield made
    made.close()


def spoil(here, count=1, value=b"no command", **how):
    """Posts records that become dead letters; returns them with these, in order."""
    before = len(here.dead_letters.drain())
    records = [here.post(value, **how) for _ in range(count)]
    here.poster.flush()
    letters = here.dead_letters.wait(before + count, what="dead letters")[before:]
    names = ("__dlq.errors.partition", "__dlq.errors.offset")
    by_place = {tuple(int(letter.header(name)) for name in names): letter for letter in letters}
    return [(record, by_place[record.partition, record.offset]) for record in records]


def position(letter):
    return f"{letter.partition}:{letter.offset}"


@pytest.fixture
def commands(here):
    """A reader of the command topic that sees what transactions have committed."""
    tap = Tap(here.kafka.address, here.topics.commands)
    yield tap
    tap.close()


def test_list(here):
    ctl = Ctl(here)
    old, old_letter = spoil(here, value=b"{", partition=1, timestamp=1234567890123)[0]
    new, new_letter = spoil(here, value=b"\xff\x00", key=b"k")[0]
    mine = [position(new_letter), position(old_letter)]

    def listed(*arguments):
        """Which of these are shown, in order."""
        found = [f"{line['partition']}:{line['offset']}" for line in ctl.json("dlq", "list", *arguments)]
        return [place for place in found if place in mine]

    code, out, _ = ctl("dlq", "list")
    titles, *lines = out.splitlines()
    assert code == 0 and titles.split() == ["POSITION", "WHEN", "FROM", "CODE", "BYTES", "MESSAGE"]
    first, second = (line.split() for line in lines if line.split()[0] in mine)
    assert [first[0], *first[2:5]] == [mine[0], f"{here.topics.commands}:0:{new.offset}", "malformed", "2"]
    assert second[:3] == [mine[1], "2009-02-13T23:31:30.123Z", f"{here.topics.commands}:1:{old.offset}"]
    assert listed() == listed("--code", "malformed") == mine
    assert listed("--since", "2009-02-13T23:31:30.123Z") == mine
    assert listed("--since", "2009-02-13T23:31:30.124Z") == listed("--since", "1h") == mine[:1]
    assert len(ctl.json("dlq", "list", "--limit", "1")) == 1
    assert ctl("dlq", "list", "--code", "internal")[:2] == (0, "")


def test_show(here):
    ctl = Ctl(here)
    headers = [("a", None), ("b", b"\xff"), ("a", b""), ("c", "é".encode()), (ESCAPES[:-4].decode(), ESCAPES)]
    _, letter = spoil(here, value=b"\x93\x00" + ESCAPES, key=b"\x00\xff", headers=headers)[0]
    (line,) = ctl.json("dlq", "show", position(letter))
    assert base64.b64decode(line["value_base64"]) == letter.value and "value" not in line
    assert base64.b64decode(line["key_base64"]) == letter.key
    assert line["headers"][: len(headers)] == [
        {"name": "a", "value": None},
        {"name": "b", "value_base64": "/w=="},
        {"name": "a", "value": ""},
        {"name": "c", "value": "é"},
        {"name": ESCAPES[:-4].decode(), "value_base64": base64.b64encode(ESCAPES).decode()},
    ]
    assert (line["code"], line["replayed"], line["bytes"]) == ("malformed", None, len(letter.value))
    assert ctl("dlq", "show", position(letter), "--raw", raw=True)[1] == letter.value
    for arguments in (("dlq", "show", position(letter)), ("dlq", "list"), ("dlq", "show", position(letter), "--json")):
        code, out, said = ctl(*arguments, raw=True)
        assert code == 0 and not said
        assert not any(byte < 0x20 and byte != 0x0A for byte in out), out
    text = ctl("dlq", "show", position(letter))[1]
    assert "hex:00ff" in text and "header c: é" in text and "93 00 1b 5d" in text and "header a: null" in text
    code, _, said = ctl("dlq", "show", "0:999")
    assert code == 1 and "0:999" in said


def test_show_of_nulls_and_texts(here):
    ctl = Ctl(here)
    (_, null), (_, empty) = spoil(here, value=None)[0], spoil(here, value=b"", key=b"")[0]
    (line,) = ctl.json("dlq", "show", position(null))
    assert (line["key"], line["value"]) == (None, None)
    (line,) = ctl.json("dlq", "show", position(empty))
    assert (line["key"], line["value"]) == ("", "")
    assert "value: null" in ctl("dlq", "show", position(null))[1]
    assert ctl("dlq", "show", position(null), "--raw", raw=True)[1] == b""


def test_wrong_usage(here):
    ctl = Ctl(here)
    for line in (
        "dlq",
        "dlq drop",
        "dlq list 0:1",
        "dlq list --all",
        "dlq list --raw",
        "dlq list --since yesterday",
        "dlq list --code nonsense",
        "dlq show",
        "dlq show 0:1 0:2",
        "dlq show 1",
        "dlq show -- -1:0",
        "dlq show 0:1 --raw --json",
        "dlq show 0:1 --code internal",
        "dlq replay",
        "dlq replay 0:1 --all",
        "dlq replay 0:1 --limit 1",
        "dlq replay x:1",
    ):
        code, out, said = ctl(*line.split())
        assert code == 2 and said and not out, line
    assert "replay" in ctl("help", "dlq")[1]


def test_replay_once(here, commands):
    ctl = Ctl(here)
    headers = [("a", None), ("a", b"1"), ("kafka_correlationId", b"\x00\xff"), ("content-type", b"text/x")]
    record, letter = spoil(here, value=b"\xff\x00 no command", key=b"some key", headers=headers, partition=1)[0]
    assert [line["result"] for line in ctl.json("dlq", "replay", position(letter), "--dry-run")] == ["would_replay"]
    before = len(commands.drain())
    (line,) = ctl.json("dlq", "replay", position(letter), code=1)
    assert (line["result"], line["reply"]["error"]["code"]) == ("replayed", "malformed")
    (copy,) = commands.wait(before + 1, what="commands")[before:]
    assert (copy.key, copy.value, copy.headers) == (record.key, record.value, record.headers)
    assert line["command"] == {"topic": copy.topic, "partition": copy.partition, "offset": copy.offset}
    assert line["reply"]["source"] == line["command"]
    assert copy.timestamp > time.time() * 1000 - 60_000
    for _ in range(2):
        code, out, said = ctl("dlq", "replay", position(letter))
        assert code == 0 and "was replayed before" in out and "0 replayed" in said
    assert len(commands.drain()) == before + 1
    (line,) = ctl.json("dlq", "show", position(letter))
    assert line["replayed"]
    # The copy could not be read either, and is a dead letter of its own.
    places = {(record.partition, record.offset), (copy.partition, copy.offset)}
    here.dead_letters.wait(1, lambda message: ("__dlq.errors.offset", str(copy.offset).encode()) in message.headers)
    lines = ctl.json("dlq", "list")
    mine = [line for line in lines if (line["source"]["partition"], line["source"]["offset"]) in places]
    assert len(mine) == 2
    assert [bool(line["replayed"]) for line in mine].count(True) == 1
    (line,) = ctl.json("dlq", "replay", position(letter), "--force", "--no-wait")
    assert line["result"] == "replayed" and "reply" not in line
    assert len(commands.drain()) == before + 2



def create(account, **more):
    return {"op": "create", "app": "demo", "account": account, "profile": {"nickname": "x" * 100}, **more}


SHORT = {"limits": {"command_bytes": 120}}


def mend(here):
    """The mistake is found: from now on longer commands are taken."""
    here.daemons[0].stop()
    here.daemon(limits={"command_bytes": 1048576})


def test_replay_of_what_can_be_read_now(world):
    """Each goes where its key belongs, is answered where it wants to be, and takes effect."""
    here = world(partitions=2, settings={**SHORT, "kafka": {"reply_topics": ["own"]}}, extra_topics=[("own", 3)])
    ctl = Ctl(here)
    named = {"headers": [("kafka_replyTopic", b"own"), ("kafka_replyPartition", b"\0\0\0\2")], "encode": "msgpack"}
    letters = [spoil(here, value=create(f"a{n}"), key=f"a{n}".encode(), partition=n % 2)[0][1] for n in range(6)]
    letters += [spoil(here, value=create("b"), key=None, **named)[0][1]]
    mend(here)
    lines = ctl.json("dlq", "replay", "--all")
    assert {line["reply"]["status"] for line in lines} == {"ok"}
    assert {(line["partition"], line["offset"]) for line in lines} == {(m.partition, m.offset) for m in letters}
    assert len(here.redis.keys("acct:{demo}:*")) == 7
    came = {line["reply"]["account"]: line["command"]["partition"] for line in lines}
    del came["b"]
    assert came == {f"a{n}": murmur2(f"a{n}".encode()) % 2 for n in range(6)} and set(came.values()) == {0, 1}
    own = [message for message in here.reply_taps[0][0].drain() if message.topic == "own"]
    assert [message.partition for message in own] == [2, 2]
    code, _, said = ctl("dlq", "replay", "--all")
    assert code == 0 and "0 replayed" in said and "7 replayed before" in said


def murmur2(data):
    """The hash by which Kafka's own clients choose a partition, without its sign."""
    seed, m, mask = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF
    h = (seed ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    for shift, byte in enumerate(data[whole:]):
        h ^= byte << 8 * shift
    if len(data) > whole:
        h = h * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return (h ^ (h >> 15)) & 0x7FFFFFFF


def test_what_is_cut_cannot_be_replayed(here, commands):
    ctl = Ctl(here)
    _, whole = spoil(here, value=b"whole")[0]
    _, cut = spoil(here, value=b"x" * 1_500_000, partition=1)[0]
    (line,) = ctl.json("dlq", "show", position(cut))
    assert line["cut"] == {"value": 1_500_000} and line["bytes"] == len(cut.value)
    assert "[cut]" in ctl("dlq", "list")[1]
    before = len(commands.drain())
    code, _, said = ctl("dlq", "replay", position(cut))
    assert code == 1 and "not whole" in said
    code, _, said = ctl("dlq", "replay", "1:77", "0:999999")
    assert code == 1 and "1:77" in said and "0:999999" in said
    assert len(commands.drain()) == before
    assert {line["result"] for line in ctl.json("dlq", "replay", "--all", "--no-wait", code=3)} == {"replayed", "cut"}
    assert whole.value in [copy.value for copy in commands.drain()[before:]]
    assert cut.value not in [copy.value for copy in commands.drain()[before:]]


def lone(world, topic="", **config):
    """A world without accountd, with one dead letter in a topic of these settings."""
    here = world(partitions=1, start=False)
    here.settings["kafka"]["dead_letters"] += topic
    here.daemon(start=False)
    name = here.settings["kafka"]["dead_letters"]
    if topic:
        here.kafka.make_topic(name, 1, **config)
    producer = Producer({"bootstrap.servers": here.kafka.address})
    producer.produce(name, b"x", b"key", headers=[("accountd-error-code", b"internal")])
    assert producer.flush(10) == 0
    return here


def test_nobody_answers(world):
    ctl = Ctl(lone(world))
    code, out, said = ctl("dlq", "replay", "0:0", "--timeout", "2")
    assert code == 5 and "replayed as" in out and "1 without a reply" in said
    code, out, _ = ctl("dlq", "replay", "0:0", "--timeout", "2")
    assert code == 0 and "was replayed before" in out


def test_a_compacted_topic_takes_no_notes(world):
    """It is refused as a whole: no command without its note."""
    here = lone(world, ".compacted", cleanup_policy="compact")
    code, _, said = Ctl(here)("dlq", "replay", "--all", "--no-wait")
    assert code == 1 and "cannot be posted" in said
    assert counted(here, {b"x"}) == {b"x": 0}


def counted(here, values, committed=True):
    """How often each of the values is on the command topic."""
    tap = Tap(here.kafka.address, here.topics.commands, committed=committed)
    found = dict.fromkeys(values, 0)
    for message in tap.drain():
        found[message.value] += 1
    tap.close()
    return found


@pytest.fixture
def many(world):
    """Some thousand dead letters in two partitions, and nobody who answers, so that none are added."""
    here = world(partitions=2)
    values = [f"no command {number}".encode() for number in range(3000)]
    for number, value in enumerate(values):
        here.post(value, key=value if number % 3 else None, partition=number % 2)
    here.poster.flush()
    here.dead_letters.wait(len(values), seconds=60, what="dead letters")
    here.daemons[0].stop()
    return here, set(values)


def when_it_posts(here):
    """Waits until something comes to the command topic, of an open transaction or not."""
    asker = Consumer(
        {"bootstrap.servers": here.kafka.address, "group.id": "asker", "isolation.level": "read_uncommitted"}
    )
    places = [TopicPartition(here.topics.commands, number) for number in range(here.partitions)]

    def ends():
        return [asker.get_watermark_offsets(place, timeout=10)[1] for place in places]

    before = ends()

    def wait(process):
        wait_for("a post", lambda: ends() != before or process.poll() is not None, 30, every=0)
        asker.close()

    return wait


def test_killed_at_any_moment(many, seed):
    """Whatever was posted when it died is either there with its note, or not at all."""
    here, values = many
    ctl = Ctl(here)
    chance = random.Random(seed)
    kills = 0
    for number in range(12):
        posts = when_it_posts(here)
        process = ctl.start("dlq", "replay", "--all", "--no-wait", "--timeout", "30")
        # The first one dies within its transaction: one that comes to its end leaves nothing to the others.
        if number % 3 or number == 0:
            posts(process)
            time.sleep(chance.choice([0, 0, chance.uniform(0, 0.02)]) if number else 0)
        else:
            time.sleep(chance.uniform(0, 0.3))
        kills += process.poll() is None
        process.kill()
        process.communicate()
    code, _, said = ctl("dlq", "replay", "--all", "--no-wait", "--timeout", "30")
    assert code == 0, said
    counts = counted(here, values)
    assert set(counts.values()) == {2}, f"{kills} kills"
    aborted = sum(counted(here, values, committed=False).values()) - sum(counts.values())
    print(f"{kills} kills, {aborted} commands in aborted transactions")
    assert aborted > 0


def test_many_at_once(many):
    """One fences the other; what one has posted, the other leaves alone."""
    here, values = many
    ctl = Ctl(here)
    running = [ctl.start("dlq", "replay", "--all", "--no-wait", "--timeout", "30") for _ in range(4)]
    ends = [(process.communicate(timeout=60)[1].decode(), process.returncode) for process in running]
    assert any(code == 0 for _, code in ends), ends
    assert all(code == 0 or "another replay" in said for said, code in ends), ends
    counts = counted(here, values)
    assert set(counts.values()) == {2}, ends
