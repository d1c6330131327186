"""Signed commands, on a real broker and Redis: what is refused, and that nothing of it was decoded before."""

import re
import subprocess
import sys
import time

import msgpack
import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from fetched import go_program, java_classes, run
from servers import ROOT, wait_for
from test_exits import CONFIG, OK, assert_ends
from test_exits import run as run_program
from test_settings import heard, reload, set_settings  # noqa: F401 (a fixture)
from world import World

SIGNING = ROOT / "docs" / "clients" / "signing"
sys.path.insert(0, str(SIGNING))
from sign import signed  # noqa: E402

SECRETS = {"all": b"a" * 32, "shop": b"s" * 40, "reader": b"r" * 64}
ALICE = {"op": "create", "app": "demo", "account": "alice"}
WINDOW_S = 600


def now_ms():
    return int(time.time() * 1000)


def write_secret(path, secret):
    path.write_bytes(secret + b"\n")
    path.chmod(0o600)


class Signing:
    """A world whose daemon wants signatures, and commands that are signed in all ways."""

    def __init__(self, make_world, tmp_path, **auth):
        self.directory = tmp_path
        for name, secret in SECRETS.items():
            write_secret(tmp_path / name, secret)
        keys = [
            f"all file={tmp_path}/all",
            f"shop file={tmp_path}/shop app=shop app=market",
            f"reader file={tmp_path}/reader op=get op=list",
        ]
        auth = {"required": True, "keys": keys, "window_s": WINDOW_S, **auth}
        self.world = make_world(settings={"auth": auth, "limits": {"command_bytes": 1000}})
        self.world.model.command_bytes = 1000
        self.topic = self.world.topics.commands
        self.daemon = self.world.daemons[0]

    def sign(self, value, key_id="all", secret=None, key=None, at_ms=None, topic=None):
        return signed(secret or SECRETS[key_id], key_id, topic or self.topic, key, value, at_ms)

    def post(self, value, headers=None, key=None, partition=0, timestamp=None, **how):
        """The reply to a command that is signed in this way, or brings these headers."""
        value = msgpack.packb(value) if isinstance(value, dict) else value
        headers = self.sign(value, key=key, **how) if headers is None else headers
        record = self.world.post(value, key=key, headers=headers, partition=partition, timestamp=timestamp)
        self.world.poster.flush()
        return record

    def good(self, value, **how):
        """Is decided as the model would decide it without a signature."""
        return self.world.check(self.post(value, **how)).reply

    def bad(self, value, field, **how):
        """Is refused before anything is decoded: the reply repeats nothing of the command."""
        record = self.post(value, **how)
        message = self.world.reply_to(record)
        reply = message.body()
        assert reply["status"] == "error" and reply["error"]["code"] == "unauthorized", reply
        assert reply["error"]["field"] == field, reply
        assert reply["error"]["message"].startswith(field), reply
        assert message.header("accountd-code") == b"unauthorized"
        assert not {"op", "app", "account"} & set(reply), reply
        assert reply["id"] == f"{record.topic}:{record.partition}:{record.offset}"
        return reply["error"]["message"]

    def forbidden(self, value, field, **how):
        """Is signed by a key that may not do this."""
        reply = self.world.reply_to(self.post(value, **how)).body()
        assert reply["status"] == "error" and reply["error"]["code"] == "unauthorized", reply
        assert reply["error"]["field"] == field, reply

    def close(self):
        """What was refused had no effect, was answered once, and is no dead letter."""
        self.world.check_exactly_once()
        self.world.check_redis()
        self.world.check_changelog()
        self.daemon.stop()


@pytest.fixture
def signing(world, tmp_path):
    return lambda **auth: Signing(world, tmp_path, **auth)


@pytest.fixture(scope="module")
def common(kafka, tmp_path_factory):
    """For tests that change no setting; each has an app of its own, or accounts."""
    directory = tmp_path_factory.mktemp("signed")
    here = Signing(lambda settings: World(kafka, directory, "signed", settings=settings), directory)
    yield here
    here.close()
    here.world.close()


def test_what_is_refused(common):
    here = common
    dead = len(here.world.dead_letters.drain())
    value = msgpack.packb(ALICE)
    at = now_ms()
    right = here.sign(value, at_ms=at)
    known, unknown = (here.bad(ALICE, "accountd-signature", secret=b"w" * 32, key_id=name) for name in ("all", "nobody"))
    assert known == unknown, "the answer tells which keys there are"
    assert "missing" in here.bad(ALICE, "accountd-signature", headers=[])
    for field in ("accountd-key-id", "accountd-signed-at", "accountd-signature"):
        here.bad(value, field, headers=[header for header in right if header[0] != field])
        here.bad(value, field, headers=[header if header[0] != field else (field, b"") for header in right])
    wrong = [
        value.replace(b"alice", b"malic"),  # another value
        value + b"\0",
    ]
    for other in wrong:
        here.bad(other, "accountd-signature", headers=right)
    for key in (b"", b"alice"):  # another key
        here.bad(value, "accountd-signature", headers=right, key=key)
    here.bad(value, "accountd-signature", headers=here.sign(value, topic="other.commands"))
    later = [right[0], ("accountd-signed-at", str(at + 1)), right[2]]
    here.bad(value, "accountd-signature", headers=later)
    here.bad(value, "accountd-signature", headers=[("accountd-key-id", "reader"), *right[1:]])
    here.bad(value, "accountd-signature", headers=[right[0], right[1], ("accountd-signature", right[2][1].upper())])
    assert not here.world.redis.keys("acct:*")
    assert len(here.world.dead_letters.drain()) == dead
    here.good(ALICE)


def test_nothing_is_decoded_before(common):
    """Bombs, nonsense and what is too long: unauthorized, not malformed, and no dead letter."""
    here = common
    dead = len(here.world.dead_letters.drain())
    for bomb in (b"", b"\xff", b"[" * 100_000, b"\x91" * 100_000, b'{"op":' * 1000, b"x" * 2_000_000):
        here.bad(bomb, "accountd-signature", secret=b"w" * 32)
        here.bad(bomb, "accountd-signature", headers=[])
    assert len(here.world.dead_letters.drain()) == dead
    # … and the same, signed, is what it is.
    assert here.good(b"\x91" * 100_000)["error"]["code"] == "malformed"
    here.world.dead_letters.wait(dead + 1)


def test_a_null_value(common):
    here = common
    here.bad(None, "accountd-signature", headers=here.sign(b""))
    assert here.good(None)["error"]["code"] == "malformed"


def test_what_a_key_may_do(common):
    here = common
    here.good({**ALICE, "app": "shop"}, key_id="shop")
    here.good({**ALICE, "app": "market"}, key_id="shop")
    here.forbidden({**ALICE, "app": "demo"}, "app", key_id="shop")
    here.forbidden({**ALICE, "app": "demo", "surplus": 1}, "app", key_id="shop")
    here.good({"op": "get", "app": "shop", "account": "alice"}, key_id="reader")
    here.good({"op": "list", "app": "market"}, key_id="reader")
    for op in ("create", "delete", "export"):
        here.forbidden({"op": op, "app": "shop", "account": "alice"}, "op", key_id="reader")
    # Who names no app or operation that there is can do nothing with it, and is told what is wrong.
    assert here.good({**ALICE, "op": "drop"}, key_id="reader")["error"]["code"] == "unknown_op"
    assert here.good({**ALICE, "app": "no app"}, key_id="shop")["error"]["code"] == "invalid_field"


def test_times(common):
    here = common
    now, window = now_ms(), WINDOW_S * 1000
    carol = {**ALICE, "account": "carol"}
    assert "long before" in here.bad(carol, "accountd-signed-at", at_ms=now - window - 60_000)
    assert "long after" in here.bad(carol, "accountd-signed-at", at_ms=now, timestamp=now - window - 1)
    assert "future" in here.bad(carol, "accountd-signed-at", at_ms=now + window + 60_000, timestamp=now + window)
    here.good(carol, at_ms=now - window + 60_000, timestamp=now)


# ---- Repetitions


def test_a_repetition_is_refused(common):
    here = common
    alice, bob = {**ALICE, "app": "again", "id": "c-1"}, {**ALICE, "app": "again", "account": "bob", "id": "c-1"}
    dead = len(here.world.dead_letters.drain())
    value = msgpack.packb(alice)
    headers = here.sign(value)
    here.good(value, headers=headers)
    here.forbidden(value, "id", headers=headers)
    here.forbidden(value, "id", headers=headers, partition=1)
    here.forbidden(value, "id", headers=[*headers, ("kafka_replyTopic", here.topic)])
    here.forbidden(alice, "id")  # signed anew
    here.forbidden(bob, "id")  # another command of that id
    here.good({**bob, "app": "market"}, key_id="shop")  # another key's id
    here.good({**bob, "id": "c-2"})
    # Without an id it is the signature that does not come twice.
    value = msgpack.packb({"op": "get", "app": "again", "account": "alice"})
    at = now_ms()
    here.good(value, at_ms=at)
    here.forbidden(value, "accountd-signature", at_ms=at)
    here.good(value, at_ms=at + 1)
    # What was refused, and what was no command, does not come again either, nor as another dead letter.
    failing = {"op": "delete", "app": "again", "account": "carol", "id": "c-3"}
    assert here.good(failing)["error"]["code"] == "account_not_found"
    here.forbidden(failing, "id")
    headers = here.sign(b"nonsense")
    assert here.good(b"nonsense", headers=headers)["error"]["code"] == "malformed"
    here.forbidden(b"nonsense", "accountd-signature", headers=headers)
    assert len(here.world.dead_letters.drain()) == dead + 1
    # What a key was not good for was not used.
    here.forbidden({**ALICE, "app": "demo", "id": "c-4"}, "app", key_id="shop")
    here.good({**ALICE, "app": "shop", "account": "carol", "id": "c-4"}, key_id="shop")


def counts_by_id(here, records):
    """The statuses of the replies to each id."""
    found = {}
    for record in records:
        reply = here.world.reply_to(record, 60).body()
        status = reply["status"] if reply["status"] == "ok" else reply["error"]["code"]
        found.setdefault(reply["id"], []).append(status)
    return found


def test_repetitions_through_crashes(signing):
    """Each command comes three times, in both partitions, while accountd is killed again and again: it takes effect
    once, also where its record is delivered again."""
    here = signing(ids_max=100_000)
    records = []
    for number in range(1200):
        command = {"op": "create", "app": "demo", "account": f"a{number}", "id": f"c-{number}", "on_exists": "update"}
        value = msgpack.packb({**command, "profile": {"level": number}})
        headers = here.sign(value)
        records += [here.world.post(value, headers=headers, partition=partition) for partition in (0, 1, number % 2)]
        if number % 200 == 199:
            here.world.poster.flush()
            posted_before = number - 199
            wait_for("progress", lambda: len(here.world.redis.keys("acct:*")) > posted_before, every=0.001)
            here.daemon.kill()
            here.daemon.start(ready=False)
    assert all(sorted(statuses) == ["ok", "unauthorized", "unauthorized"] for statuses in counts_by_id(here, records).values())
    here.world.check_exactly_once()
    assert len(here.world.changelog.drain()) == 1200
    assert {here.world.redis.hget(f"acct:{{demo}}:a{number}", "rev") for number in range(1200)} == {"1"}
    assert here.world.redis.zcard("accountd:spent") == 1200
    here.daemon.stop()


def floor(here):
    return int(here.world.redis.get("accountd:spent:floor") or 0)


def test_what_is_too_old_to_be_remembered(signing):
    """Records that bring old timestamps of their own, as whoever can post may make them."""
    here = signing(window_s=60)
    old = now_ms() - 50_000
    first = {"at_ms": old, "timestamp": old}
    here.good({**ALICE, "id": "first"}, **first)
    assert floor(here) < old
    now = now_ms()
    here.good({**ALICE, "account": "bob"}, at_ms=now)
    here.forbidden({**ALICE, "id": "first"}, "id", **first)
    # One partition that is slow holds the floor.
    here.good({**ALICE, "account": "carol"}, at_ms=now + 50_000, timestamp=now + 50_000)
    assert floor(here) < old
    here.good({**ALICE, "account": "dave"}, at_ms=now + 50_000, timestamp=now + 50_000, partition=1)
    assert floor(here) == now - 10_000
    assert here.world.redis.zcard("accountd:spent") == 3
    here.forbidden({**ALICE, "id": "first"}, "accountd-signed-at", **first)
    late = now - 10_001
    here.forbidden({**ALICE, "account": "new"}, "accountd-signed-at", at_ms=late, timestamp=late)
    here.good({**ALICE, "account": "new"}, at_ms=late + 1, timestamp=late + 1)
    here.close()


def test_the_brokers_clock(kafka, world, tmp_path):
    """With LogAppendTime a record that is posted late is late, whatever timestamp it brings and Redis remembers."""

    def by_the_broker(settings):
        here = world(settings=settings, start=False)
        resource = ConfigResource(ConfigResource.Type.TOPIC, here.topics.commands)
        entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
        resource.add_incremental_config(entry)
        kafka.admin.incremental_alter_configs([resource])[resource].result(10)
        here.daemon()
        return here

    here = Signing(by_the_broker, tmp_path, window_s=60)
    old = now_ms() - 90_000
    assert "long before" in here.bad(ALICE, "accountd-signed-at", at_ms=old, timestamp=old)
    record = here.post(ALICE)
    assert here.world.reply_to(record).body()["status"] == "ok"
    here.world.check_exactly_once()
    here.daemon.stop()


def test_no_more_are_remembered_than_may_be(signing):
    here = signing(ids_max=5)
    at = now_ms() - 1000
    for number in range(12):
        here.good({**ALICE, "account": f"a{number}"}, at_ms=at + number, timestamp=at)
        assert here.world.redis.zcard("accountd:spent") == min(number + 1, 5)
    assert floor(here) == at + 7
    here.forbidden({**ALICE, "account": "a0"}, "accountd-signed-at", at_ms=at, timestamp=at)
    here.forbidden({**ALICE, "account": "a11"}, "accountd-signature", at_ms=at + 11, timestamp=at)
    here.close()


def test_a_redis_that_lost_what_it_remembered(signing):
    """The floor is known to Kafka: what is older than it stays refused, and no command that waits is lost for it."""
    here = signing(window_s=60)
    now = now_ms()
    old, recent = now - 55_000, now + 1000
    here.good({**ALICE, "id": "old"}, at_ms=old, timestamp=old)
    for partition in (0, 1):
        here.good({**ALICE, "account": f"p{partition}"}, at_ms=now + 30_000, timestamp=now, partition=partition)
    assert floor(here) == now - 30_000
    here.good({**ALICE, "account": "q"}, at_ms=recent, timestamp=recent)  # its token brings the floor
    here.world.redis.flushall()
    wait_for("a restore", lambda: floor(here))
    assert floor(here) == now - 30_000
    here.forbidden({**ALICE, "id": "old"}, "accountd-signed-at", at_ms=old, timestamp=old)
    here.good({**ALICE, "account": "r"}, at_ms=now - 20_000, timestamp=now)
    here.close()


def test_not_required(signing):
    """Keys without auth.required: who signs must do it right, others need not."""
    here = signing(required=False)
    here.good(ALICE, headers=[])
    here.good({**ALICE, "account": "bob"})
    here.bad(ALICE, "accountd-signature", secret=b"w" * 32)
    here.bad(ALICE, "accountd-signature", headers=[("accountd-key-id", "all")])
    here.close()


def test_without_keys_headers_mean_nothing(world):
    here = world()
    value = msgpack.packb(ALICE)
    record = here.post(value, headers=signed(b"w" * 32, "nobody", here.topics.commands, None, value))
    here.poster.flush()
    assert here.check(record).reply["status"] == "ok"
    here.daemons[0].stop()


def test_reload(heard, signing):
    """A secret is exchanged and a key taken away while commands come; a broken file changes nothing."""
    here = signing()

    def reloaded(says="settings: reloaded"):
        """READY comes when all workers have taken the keys up."""
        before = heard().count("READY=1")
        said = reload(here.daemon, says)
        wait_for(heard, lambda: heard().count("READY=1") > before)
        return said

    here.good(ALICE)
    write_secret(here.directory / "all", b"n" * 32)
    here.good({**ALICE, "account": "b"})
    assert "changed: the secrets of auth.keys" in reloaded()
    here.bad({**ALICE, "account": "c"}, "accountd-signature")
    here.good({**ALICE, "account": "c"}, secret=b"n" * 32)
    assert "changed: nothing" in reloaded()
    (here.directory / "all").chmod(0o604)
    assert "everybody may read it" in reloaded("not reloaded")
    (here.directory / "all").unlink()
    assert "key all: " in reloaded("not reloaded")
    here.good({**ALICE, "account": "d"}, secret=b"n" * 32)
    set_settings(here.daemon, auth={"keys": [f"shop file={here.directory}/shop"]})
    assert "changed: auth.keys\n" in reloaded()
    here.bad({**ALICE, "account": "e"}, "accountd-signature", secret=b"n" * 32)
    here.good({**ALICE, "account": "e"}, key_id="shop")
    set_settings(here.daemon, auth={"required": False, "keys": []})
    assert "changed: auth.required, auth.keys\n" in reloaded()
    here.good({**ALICE, "account": "f"}, headers=[])
    here.close()


def test_settings_that_are_refused(tmp_path):
    file = tmp_path / "accountd.conf"
    short = tmp_path / "short"
    write_secret(short, b"x" * 31)
    cases = [
        ("required = true;", f"{file}:1: auth.required: commands must be signed, and auth.keys names no key"),
        ('keys = [ "a b" ];', "must be ID file=FILE, and then app=APP and op=OP"),
        ('keys = [ "a" ];', "names no file=FILE with the secret"),
        ('keys = [ "a file=b/c" ];', "must be an absolute path, or the name of a systemd credential"),
        ('keys = [ "a file=/x op=drop" ];', "wrong op=: it must be create"),
        ('keys = [ "a file=/x app=a.b" ];', "wrong app=: it must be 1 to 32"),
        ('keys = [ "a file=/x", "a file=/y" ];', "key a is there twice"),
    ]
    for text, said in cases:
        file.write_text(f"auth: {{ {text} }};")
        assert said in assert_ends(CONFIG, "accountd", "--check-config", "-c", file)
    file.write_text(f'auth: {{ keys = [ "a file={short}" ]; }};')
    said = assert_ends(CONFIG, "accountd", "-c", file)
    assert f"auth.keys: key a: the first line of {short} has 31 bytes; a secret has 32 to 1024" in said
    assert assert_ends(OK, "accountd", "--check-config", "-c", file) == ""
    file.write_text('auth: { keys = [ "a file=credential" ]; };')
    assert "systemd gave no credentials" in assert_ends(CONFIG, "accountd", "-c", file)
    credential = tmp_path / "credential"
    write_secret(credential, b"x" * 31)
    said = assert_ends(CONFIG, "accountd", "-c", file, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert f"{credential} has 31 bytes" in said or "credential has 31 bytes" in said


def test_the_settings_of_the_documentation(tmp_path):
    text = (ROOT / "docs" / "security.md").read_text().replace("/etc/accountd", str(tmp_path))
    [script] = re.findall(r"^```sh signing\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    [settings] = re.findall(r"^```libconfig signing\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    subprocess.run(["sh", "-euc", script], check=True, timeout=30)
    file = tmp_path / "accountd.conf"
    file.write_text(settings)
    assert assert_ends(OK, "accountd", "--check-config", "-c", file) == ""
    # Of the two keys it is the credential that is missing.
    assert "auth.keys: key support: support.key cannot be read" in assert_ends(CONFIG, "accountd", "-c", file)


# ---- accountctl


def test_accountctl(signing, monkeypatch):
    here = signing()

    def ctl(*arguments):
        return run_program("accountctl", "-c", here.daemon.config, "--app", "ctl", *arguments)

    file = here.directory / "all"
    assert "unauthorized" in assert_failed(ctl("create", "alice"))
    code, said = ctl("create", "alice", "--key", f"all={file}")
    assert code == 0, said
    monkeypatch.setenv("ACCOUNTCTL_KEY", f"reader={here.directory}/reader")
    code, said = ctl("list")
    assert code == 0 and "alice" in said, said
    assert "key reader may not be used for this op" in assert_failed(ctl("delete", "alice"))
    assert "accountd-signature is not that of a key" in assert_failed(ctl("list", "--key", f"shop={file}"))
    for key in ("all", "=x", f"all={file}.not", "x" * 65 + f"={file}"):
        code, said = ctl("list", "--key", key)
        assert code == 2 and f"--key {key}: " in said, said
    here.daemon.stop()


def assert_failed(ended):
    code, said = ended
    assert code == 1, said
    return said


# ---- The examples of docs/clients/signing, as they are


def python_example():
    return [sys.executable, SIGNING / "sign.py"]


def java_example():
    return ["java", "-cp", java_classes("signing-java", SIGNING / "Sign.java"), "Sign"]


def go_example():
    return [go_program("signing-go", SIGNING)]


@pytest.mark.timeout(900)  # with what may have to be fetched
@pytest.mark.parametrize("example", [python_example, java_example, go_example])
def test_examples(signing, example):
    command = example()
    here = signing()
    value = '{"op":"create","app":"demo","account":"alice","id":"example"}'
    for secret in ("all", "shop"):
        run(*command, here.world.kafka.address, here.topic, "all", here.directory / secret, "alice", value)

    def replies():
        found = [tap.since() for tap, _ in here.world.reply_taps]
        return found[0] if len(found[0]) == 2 else None

    bodies = sorted((message.body() for message in wait_for("two replies", replies)), key=lambda body: body["status"])
    assert bodies[0]["error"]["code"] == "unauthorized" and "op" not in bodies[0]
    assert bodies[1]["status"] == "ok" and bodies[1]["id"] == "example"
    here.daemon.stop()
