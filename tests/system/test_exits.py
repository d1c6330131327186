"""How the programs end: with the exit code that is promised, soon, and (on a build with sanitizers, see
tests/sanitize) with nothing left unfreed."""

import os
import re
import signal
import subprocess
import time

import pytest

from generator import SMALL, Load, answered
from servers import BUILD, WITH_PARENT, free_port, wait_for
from world import World

CREATE = {"op": "create", "app": "demo"}

OK, FAILED, USAGE, CONFIG = 0, 1, 64, 78


def run(program, *arguments, environment=None, seconds=30):
    done = subprocess.run(
        [BUILD / program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **(environment or {})},
    )
    return done.returncode, done.stdout + done.stderr


def assert_ends(code, program, *arguments, **how):
    found, said = run(program, *arguments, **how)
    assert found == code, f"{program} {arguments} ended with {found}:\n{said}"
    return said


# ---- accountd without servers


@pytest.mark.parametrize(
    "code, arguments",
    [
        (OK, ["--help"]),
        (OK, ["--version"]),
        (OK, ["--print-config"]),
        (OK, ["--check-config"]),
        (USAGE, ["--nonsense"]),
        (USAGE, ["nonsense"]),
        (USAGE, ["-c"]),
        (CONFIG, ["-c", "/nonexistent/accountd.conf"]),
    ],
)
def test_options(code, arguments):
    assert assert_ends(code, "accountd", *arguments) or arguments == ["--check-config"]


GOOD = 'apps = ["a", "b"]; kafka: { reply_topics = ["x", "^y[0-9]$"]; properties = ["linger.ms=1"]; };'

REFUSED = [
    "nonsense = 1;",
    "kafka: { brokerz = 1; };",
    "worker: { threads = 0; };",
    "worker: { threads = 2;",
    'worker: { threads = "two"; };',
    'apps = ["good", "not good"];',
    "apps = [1, 2];",
    'kafka: { reply_topics = ["good", "^("]; };',
    'kafka: { properties = ["linger.ms=1", "nonsense"]; };',
    'kafka: { properties = ["nonsense=1"]; };',
    'kafka: { properties = ["group.id=other"]; };',
    'redis: { key_prefix = "{x}"; };',
    'redis: { password_file = "/nonexistent"; };',
    'http: { listen = "nowhere"; };',
    'log: { level = "loud"; };',
    '@include "/nonexistent"',
]


@pytest.mark.parametrize("text", REFUSED)
def test_refused_settings(tmp_path, text):
    file = tmp_path / "accountd.conf"
    file.write_text(f"{GOOD}\n{text}\n" if text.split()[0] not in GOOD else text)
    wanted = OK if "password_file" in text else CONFIG  # whether it is there shows when it is needed
    for action in ("--check-config", "--print-config"):
        said = assert_ends(wanted, "accountd", action, "-c", file)
        assert wanted == OK or str(file) in said
    if wanted == CONFIG:
        assert_ends(CONFIG, "accountd", "-c", file)


def test_good_settings(tmp_path):
    file = tmp_path / "accountd.conf"
    file.write_text(GOOD)
    assert assert_ends(OK, "accountd", "--check-config", "-c", file) == ""
    assert "linger.ms=1" in assert_ends(OK, "accountd", "--print-config", "-c", file)


def test_embedded_without_a_redis_server(tmp_path):
    said = assert_ends(FAILED, "accountd", "--embedded", environment={"PATH": str(tmp_path)})
    assert "redis-server" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_embedded(tmp_path, number):
    output = tmp_path / "output"
    with open(output, "wb") as file:
        process = subprocess.Popen([*WITH_PARENT, BUILD / "accountd", "--embedded"], stdout=file, stderr=file)

    def ready():
        assert process.poll() is None, output.read_text()
        return "ready: " in output.read_text()

    wait_for(lambda: f"ready: {output.read_text()}", ready, 60)
    process.send_signal(number)
    assert process.wait(20) == OK, output.read_text()


# ---- accountd with servers, or in want of them


def listening(daemon):
    """From here on it has blocked the signals that stop it, so that they are no longer just its death."""
    wait_for(daemon.log, lambda: daemon.http("/livez")[0] == 200)


def waiting(daemon, what, seconds=30):
    """Until the daemon says that it waits for something."""

    def says():
        assert daemon.running(), daemon.log()
        status, text = daemon.http("/readyz")
        return status == 503 and re.search(what, text)

    wait_for(lambda: f"{what}: {daemon.http('/readyz')}\n{daemon.log()}", says, seconds)


def test_nothing_to_do(world):
    here = world()
    here.daemons[0].stop()
    here.daemons[0].start()
    here.ask({**CREATE, "account": "a"})
    here.daemons[0].stop(number=signal.SIGINT)


@pytest.mark.parametrize("moment", [0, 0.03, 0.3])
def test_at_once(world, moment):
    """Before anything is up."""
    here = world(start=False)
    daemon = here.daemon(start=False).start(ready=False)
    listening(daemon)
    time.sleep(moment)
    daemon.stop()


def test_under_load(world, seed):
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    daemon = here.daemons[0]
    for _ in range(3):
        load.post(here, 600)
        wait_for(daemon.log, lambda: answered(here) >= len(here.posted) - 500)
        daemon.stop()
        daemon.start(ready=False)
        listening(daemon)
    for record in here.posted:
        here.check(record, 60)
    here.check_exactly_once()
    daemon.stop()


def test_no_broker(world):
    here = world(start=False)
    daemon = here.daemon(start=False, kafka={"brokers": f"127.0.0.1:{free_port()}"}).start(ready=False)
    waiting(daemon, "cannot be reached")
    daemon.stop()


def test_no_topics(world):
    here = world(start=False)
    daemon = here.daemon(start=False, kafka={"replies": "nowhere"}).start(ready=False)
    waiting(daemon, "nowhere")
    daemon.stop()


def test_topics_that_lose_data(world):
    here = world(start=False)
    daemon = here.daemon(start=False, kafka={"commands": here.topics.changelog, "changelog": here.topics.commands})
    daemon.start(ready=False)
    assert daemon.process.wait(30) == CONFIG, daemon.log()


def test_the_port_is_taken(world):
    here = world()
    other = here.daemon(start=False)
    other.config.write_text(here.daemons[0].config.read_text())
    other.start(ready=False)
    assert other.process.wait(20) == FAILED, other.log()
    here.daemons[0].stop()


def test_redis_goes_away(world):
    here = world()
    here.ask({**CREATE, "account": "a"})
    here.redis_server.kill()
    for i in range(50):
        here.post({**CREATE, "account": f"n{i}"}, partition=i % 2)
    here.poster.flush()
    waiting(here.daemons[0], "Redis")
    here.daemons[0].stop()


def test_redis_sleeps(world):
    here = world()
    here.ask({**CREATE, "account": "a"})
    here.redis_server.process.send_signal(signal.SIGSTOP)
    for i in range(50):
        here.post({**CREATE, "account": f"n{i}"}, partition=i % 2)
    here.poster.flush()
    waiting(here.daemons[0], "Redis")
    here.daemons[0].stop()


def test_redis_was_never_there(world):
    here = world(start=False)
    daemon = here.daemon(start=False, redis={"port": free_port()}).start(ready=False)
    waiting(daemon, "Redis")
    daemon.stop()


def test_redis_refuses(world, tmp_path):
    """It wants a password, and has been given a wrong one; then there is none to give."""
    here = world(start=False)
    here.redis.config_set("requirepass", "right")
    password = tmp_path / "password"
    password.write_text("wrong\n")
    daemon = here.daemon(start=False, redis={"password_file": str(password)}).start(ready=False)
    waiting(daemon, "WRONGPASS|invalid password")
    password.unlink()
    waiting(daemon, "cannot be read")
    daemon.stop()
    password.write_text("right\n")
    daemon.start()
    daemon.stop()


def test_redis_holds_a_wrong_type(world):
    """The partition is halted; the end comes all the same."""
    here = world(partitions=1)
    here.redis.lpush("acct:{demo}:a", "x")
    here.post({**CREATE, "account": "a"})
    here.poster.flush()
    waiting(here.daemons[0], "halted")
    here.daemons[0].stop()


def test_kafka_sleeps(world, kafka, seed):
    """As long as the daemon needs to notice, and then to leave it."""
    load = Load(seed, partitions=2)
    here = world(settings=SMALL)
    load.post(here, 800)
    kafka.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(1)
        here.daemons[0].stop(60)
    finally:
        kafka.process.send_signal(signal.SIGCONT)
    here.daemons[0].start()
    for record in here.posted:
        here.check(record, 60)
    here.check_exactly_once()
    here.daemons[0].stop()


# ---- accountctl


@pytest.fixture(scope="module")
def served(kafka, tmp_path_factory):
    made = World(kafka, tmp_path_factory.mktemp("exits"), "exits", 2)
    yield made
    made.daemons[0].stop()
    made.close()


@pytest.mark.parametrize("command", ["create", "edit", "delete", "get", "list", "export", "rebuild", None])
def test_help(command):
    assert assert_ends(0, "accountctl", "help", *([command] if command else []))
    assert assert_ends(0, "accountctl", *([command] if command else []), "--help")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["create"],
        ["create", "a", "--custom", "a=b", "--custom", "nonsense"],
        ["edit", "a", "--if-revision", "x"],
        ["delete", "a", "b"],
        ["get", "a", "--timeout", "never"],
        ["get", "a", "-X", "nonsense=1"],
        ["get", "a", "-c", "/nonexistent"],
        ["list", "a"],
        ["export", "a", "--json"],
    ],
)
def test_wrong_usage(arguments):
    assert assert_ends(2, "accountctl", "--app", "demo", *arguments)


def test_accountctl(served, app, tmp_path):
    def ends(code, *arguments):
        return assert_ends(code, "accountctl", "-c", served.daemons[0].config, "--app", app, *arguments)

    ends(0, "create", "a", "b", "--type", "admin", "--set", "level=1", "--set", "nickname=N", "--custom", "x=y")
    ends(0, "edit", "a", "--set", "level=2", "--unset", "nickname", "--unset-custom", "x")
    ends(1, "create", "a")
    ends(3, "get", "a", "nobody")
    ends(0, "--json", "get", "a", "b")
    ends(1, "get", "not valid")
    ends(0, "list", "--all", "--limit", "1")
    ends(0, "list", "--json")
    ends(1, "list", "--after", "nonsense")
    for form in ("ndjson", "json", "csv", "msgpack"):
        ends(0, "export", "a", "b", "--format", form, "--compression", "gzip", "-o", tmp_path / form)
    ends(3, "export", "a", "nobody")
    ends(1, "export", "nobody", "-o", tmp_path / "none")
    ends(1, "export", "a", "-o", tmp_path / "no-such-directory" / "file")
    ends(0, "delete", "a", "b", "--confirm")
    ends(1, "delete", "a")


def test_accountctl_that_is_not_answered(world):
    daemon = world(partitions=1, start=False).daemon(start=False)
    options = ["-c", daemon.config, "--app", "demo", "--timeout", "1"]
    assert_ends(5, "accountctl", *options, "get", "a")
    assert_ends(6, "accountctl", *options, "--brokers", f"127.0.0.1:{free_port()}", "get", "a")
    missing = daemon.config.with_name("missing.conf")
    missing.write_text(daemon.config.read_text().replace(".commands", ".nowhere"))
    assert_ends(6, "accountctl", "-c", missing, "--app", "demo", "--timeout", "1", "get", "a")
