"""What operators do with settings: look at them and at the servers, give them by the environment, change them
while accountd runs, and let it make its topics."""

import contextlib
import re
import signal
import socket
import subprocess
import time

import pytest
from confluent_kafka.admin import ConfigResource

from daemon import libconfig
from generator import SMALL, Load, answered
from proxy import Proxy
from servers import BUILD, ROOT, WITH_PARENT, Redis, free_port, wait_for
from test_exits import CONFIG, CREATE, OK, USAGE, assert_ends, run

UNAVAILABLE, NOPERM = 69, 77


# ---- From the environment


def test_environment(tmp_path):
    file = tmp_path / "accountd.conf"
    file.write_text('redis: { host = "from-the-file"; port = 7; };')
    said = assert_ends(
        OK,
        "accountd",
        *("--print-config", "-c", file),
        environment={"ACCOUNTD_REDIS_HOST": "from-outside", "ACCOUNTD_APPS": "a,b"},
    )
    assert 'host = "from-outside";' in said and "port = 7;" in said and 'apps = [ "a", "b" ];' in said


def test_wrong_environment():
    wrong = {"ACCOUNTD_REDIS_PORT": "none", "ACCOUNTD_KAFKA_BROKER": "a:1", "ACCOUNTD_PORT_9464_TCP": "tcp://a"}
    for action in ("--check-config", "--print-config", "--embedded"):
        said = assert_ends(CONFIG, "accountd", action, environment=wrong)
        assert "ACCOUNTD_REDIS_PORT: redis.port must be an integer from 1 to 65535, not 'none'" in said
        assert "ACCOUNTD_KAFKA_BROKER: unknown setting, did you mean 'ACCOUNTD_KAFKA_BROKERS'?" in said
        assert "TCP" not in said
    said = assert_ends(2, "accountctl", "-c", "/dev/null", "list", environment=wrong)
    assert "ACCOUNTD_REDIS_PORT" in said


def test_the_environment_of_the_documentation(world, kafka):
    """The block that is marked so starts accountd, whatever the file says of brokers and apps."""
    here = world(start=False, settings={"apps": ["demo"]})
    daemon = here.daemon(start=False, kafka={"brokers": f"127.0.0.1:{free_port()}"})
    document = (ROOT / "docs" / "operations.md").read_text()
    [block] = re.findall(r"^```sh environment\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    block = block.replace("kafka:9092", kafka.address).replace("/etc/accountd/accountd.conf", str(daemon.config))
    with open(daemon.errors, "ab") as log:
        shell = ["bash", "-ec", f"PATH={BUILD}:$PATH\nexec env {block}"]
        daemon.process = subprocess.Popen([*WITH_PARENT, *shell], stdout=log, stderr=log)
    daemon.wait_ready()
    here.model.allowed_apps = ["shop", "forum"]
    here.ask({**CREATE, "app": "forum", "account": "a"})
    assert here.ask({**CREATE, "app": "demo", "account": "a"}).code == "app_forbidden"
    daemon.stop()


# ---- --check-config --connect


def check(daemon, **how):
    """Exit code, and the lines that are not ok."""
    code, said = run("accountd", "--check-config", "--connect", "-c", daemon.config, **how)
    return code, [line for line in said.splitlines() if not line.startswith("ok: ")], said


def test_connect_needs_check_config():
    assert_ends(USAGE, "accountd", "--connect")


def test_all_is_well(world):
    here = world(start=False)
    code, found, said = check(here.daemon(start=False))
    assert code == OK, said
    assert len(found) == 1 and "appendonly is off" in found[0], said
    for name in ("commands", "replies", "exports", "changelog", "dead_letters"):
        assert f"ok: topic {getattr(here.topics, name)}: 2 partitions" in said
    assert not here.redis.function_list() and not here.redis.keys("*"), "a look has changed Redis"


def test_nothing_answers(world):
    here = world(start=False)
    away = here.daemon(start=False, kafka={"brokers": f"127.0.0.1:{free_port()}"}, redis={"port": free_port()})
    code, found, said = check(away)
    assert code == UNAVAILABLE, said
    assert len(found) == 2 and "Connection refused" in found[0] and "Connection refused" in found[1], said
    assert "see kafka.brokers" in found[0] and "see redis.host" in found[1]


def test_topics_that_do_not_fit(world, kafka):
    here = world(start=False)
    wide = here.name + ".wide"
    kafka.make_topic(wide, 5, cleanup_policy="compact", max_message_bytes="1000")
    settings = {"changelog": wide, "replies": "nowhere", "exports": here.topics.changelog}
    code, found, said = check(here.daemon(start=False, kafka=settings))
    assert code == CONFIG, said
    assert f"error: topic {wide} takes messages of at most 1000 bytes: set max.message.bytes" in said
    assert "error: topic nowhere does not exist: create it" in said
    code, found, said = check(here.daemon(start=False, kafka={"changelog": wide}))
    assert code == CONFIG, said
    assert f"topic {wide} has 5 partitions and {here.topics.commands} has 2: they must be as many" in said
    code, found, said = check(here.daemon(start=False, kafka={"changelog": here.topics.replies, "replies": wide}))
    assert f"error: topic {here.topics.replies} is not only compacted" in said, said


def test_commands_that_would_be_compacted(world, kafka):
    """And a changelog that is too narrow, which accountd itself mends."""
    here = world(start=False)
    compacted, narrow = here.name + ".compacted", here.name + ".narrow"
    kafka.make_topic(compacted, 2, cleanup_policy="compact")
    kafka.make_topic(narrow, 1, cleanup_policy="compact")
    code, found, said = check(here.daemon(start=False, kafka={"commands": compacted}))
    assert code == CONFIG, said
    assert f"error: topic {compacted} is compacted, which drops commands before they are read" in said, said
    code, found, said = check(here.daemon(start=False, kafka={"changelog": narrow}))
    assert code == OK, said
    assert f"warning: topic {narrow} has 1 partitions and {here.topics.commands} has 2: accountd adds" in said, said


def test_a_changelog_that_is_too_wide(world, kafka):
    here = world(start=False)
    wide = here.name + ".wide"
    kafka.make_topic(wide, 5, cleanup_policy="compact")
    daemon = here.daemon(start=False, kafka={"changelog": wide}).start(ready=False)
    assert daemon.process.wait(30) == CONFIG, daemon.log()
    assert f"give {here.topics.commands} 5, or name another changelog" in daemon.log()


def test_a_redis_that_evicts(world):
    here = world(start=False)
    here.redis.config_set("maxmemory-policy", "allkeys-lru")
    code, found, said = check(here.daemon(start=False))
    assert code == CONFIG, said
    assert "error: Redis: maxmemory-policy is allkeys-lru" in said and "noeviction" in said
    daemon = here.daemon(start=False).start(ready=False)
    wait_for(daemon.log, lambda: "this Redis evicts keys" in daemon.http("/readyz")[1])
    assert not here.redis.keys("*"), "it was written to"
    daemon.stop()


@pytest.mark.parametrize("kind", ["replica", "cluster", "old"])
def test_a_redis_that_does_not_fit(world, tmp_path, kind):
    """Each is what it says, but for the old one, whose words alone are old. accountd serves nothing with the others."""
    here = world(start=False)
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())] if kind == "cluster" else []
    other = Redis(tmp_path / "other", options=options)
    proxy = Proxy(other.port)
    if kind == "replica":
        other.client.replicaof("127.0.0.1", here.redis_server.port)
    if kind == "old":
        proxy.reword = lambda said: re.sub(rb"(?<=redis_version:)\d+\.", b"6.", said)
    wanted = {
        "replica": "error: Redis: it is a replica: name the master in redis.host",
        "cluster": "error: Redis: it is a cluster, which is not supported",
        "old": "error: Redis: version 6.",
    }[kind]
    try:
        daemon = here.daemon(start=False, redis={"port": proxy.port})
        code, found, said = check(daemon)
        assert code == CONFIG and wanted in said, said
        assert len([line for line in found if line.startswith("error: ")]) == 1, said
        if kind != "old":
            daemon.start(ready=False)
            wait_for(daemon.log, lambda: f"this Redis is a {kind}" in daemon.http("/readyz")[1])
            assert not other.client.keys("*"), "it was written to"
            daemon.stop()
    finally:
        proxy.close()
        other.close()


def test_a_user_without_rights(world, tmp_path):
    here = world(start=False)
    secret = tmp_path / "redis-secret"
    secret.write_text("hush\n")
    rights = {"enabled": True, "passwords": ["+hush"], "keys": ["accountd:*", "acct:*", "deleted:*", "accounts:*"]}
    here.redis.acl_setuser("weak", **rights, commands=["+@all", "-fcall", "-function"])
    daemon = here.daemon(start=False, redis={"username": "weak", "password_file": "redis-secret"})
    code, found, said = check(daemon)
    assert code == NOPERM and "refuses the login: redis.password_file: redis-secret cannot be read" in said, said
    code, found, said = check(daemon, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert code == NOPERM, said
    for what in ("FCALL ", "FUNCTION ", "SADD admins:{check}", "SREM admins:{check}", "SCARD admins:{check}"):
        assert f"may not do {what}" in said, said
    assert len([line for line in found if "may not do" in line]) == 5, said
    here.redis.acl_setuser("weak", **rights, commands=["+@all"])
    here.redis.execute_command("ACL", "SETUSER", "weak", "~admins:*")
    code, found, said = check(daemon, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert code == OK, said


def test_secrets_are_not_printed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    file = tmp_path / "accountd.conf"
    file.write_text(f'kafka: {{ properties = [ "sasl.password_file={secret}" ]; }}; redis: {{ password_file = "{secret}"; }};')
    assert "hush" not in assert_ends(OK, "accountd", "--print-config", "-c", file)
    file.write_text('kafka: { properties = [ "sasl.password=hush" ]; };')
    said = assert_ends(CONFIG, "accountd", "--print-config", "-c", file)
    assert "hush" not in said and "sasl.password_file=/path" in said


def test_properties_that_do_not_go_together(tmp_path):
    """Each is good, and librdkafka says why all of them are not."""
    file = tmp_path / "accountd.conf"
    for properties, why in [
        ('"session.timeout.ms=9000", "max.poll.interval.ms=5000"', "max.poll.interval.ms"),
        ('"message.timeout.ms=900000"', "message.timeout.ms"),
        ('"security.protocol=sasl_plaintext", "sasl.mechanism=SCRAM-SHA-256"', "sasl.username"),
    ]:
        file.write_text(f"kafka: {{ properties = [ {properties} ]; }};")
        for action in (["--check-config"], []):
            said = assert_ends(CONFIG, "accountd", *action, "-c", file)
            assert "kafka.properties: refused by librdkafka: " in said and why in said


def test_a_secret_that_is_not_there(tmp_path):
    """It is looked for where it is needed."""
    file = tmp_path / "accountd.conf"
    sasl = '"security.protocol=sasl_plaintext", "sasl.mechanism=PLAIN", "sasl.username=a"'
    file.write_text(f'kafka: {{ properties = [ {sasl}, "sasl.password_file=kafka" ]; }};')
    for action in (["--check-config", "--connect"], ["--create-topics"], []):
        said = assert_ends(CONFIG, "accountd", *action, "-c", file)
        assert "kafka.properties: kafka cannot be read: it is no path, and systemd gave no credentials" in said
    assert assert_ends(OK, "accountd", "--check-config", "-c", file) == ""


# ---- SIGHUP


def set_settings(daemon, **changes):
    """Writes the daemon's file anew with some settings changed."""
    settings = {**daemon.settings}
    for group, content in changes.items():
        settings[group] = {**settings.get(group, {}), **content} if isinstance(content, dict) else content
    daemon.config.write_text(libconfig(settings))


def reload(daemon, says="settings: reloaded"):
    """Returns what the log says of the reload."""
    before = daemon.errors.stat().st_size
    daemon.send(signal.SIGHUP)

    def said():
        assert daemon.running(), daemon.log()
        with open(daemon.errors, errors="replace") as log:
            log.seek(before)
            text = log.read()
        return says in text and text.endswith("\n") and text

    return wait_for(lambda: f"{says}\n{daemon.log()}", said)


@pytest.fixture
def heard(tmp_path, monkeypatch):
    """In systemd's place: returns the messages that came so far."""
    path = tmp_path / "notify"
    messages = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))

        def listen():
            with contextlib.suppress(BlockingIOError):
                while True:
                    messages.append(listener.recv(4096).decode())
            return messages

        yield listen


def test_reload(world, heard):
    """Limits, apps, reply topics and the log's level change, and all of them are in force when READY comes."""
    settings = {"limits": {"admins_per_app": 1}, "worker": {"threads": 1}}
    here = world(extra_topics=[("late.replies", 1)], settings=settings)
    daemon = here.daemons[0]
    late = {"headers": [("kafka_replyTopic", b"late.replies")]}
    here.send({**CREATE, "account": "a", "type": "admin"}, {**CREATE, "account": "b", "type": "admin"})
    assert here.ask({**CREATE, "account": "c"}, **late).code == "reply_topic_forbidden"

    set_settings(
        daemon,
        limits={"admins_per_app": 2, "command_bytes": 200},
        apps=["demo"],
        log={"level": "debug"},
        kafka={"reply_topics": ["late.replies"]},
        worker={"batch_max": 50, "threads": 2},
    )
    heard()
    start = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    said = reload(daemon, "need a restart")
    changed = "kafka.reply_topics, worker.batch_max, apps, limits.admins_per_app, limits.command_bytes, log.level"
    assert f"settings: reloaded; changed: {changed}\n" in said
    assert "these need a restart, and stay as they were: worker.threads\n" in said
    # One READY is that of the start.
    wait_for(heard, lambda: heard().count("READY=1") == 2)
    [reloading] = [text for text in heard() if text.startswith("RELOADING=1\nMONOTONIC_USEC=")]
    assert heard().index(reloading) > heard().index("READY=1")
    assert start <= int(reloading.split("=")[-1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    here.model.admins_per_app, here.model.command_bytes, here.model.allowed_apps = 2, 200, ["demo"]
    here.topics.allowed.append("late.replies")
    here.send({**CREATE, "account": "b", "type": "admin"}, {**CREATE, "account": "d", "type": "admin"})
    assert here.ask({**CREATE, "account": "c"}, **late).message.topic == "late.replies"
    assert here.ask({**CREATE, "app": "other", "account": "c"}).code == "app_forbidden"
    assert here.ask({**CREATE, "account": "e", "profile": {"nickname": "x" * 200}}).code == "malformed"
    here.check_exactly_once()
    here.check_redis()
    daemon.stop()


def test_a_broken_file_changes_nothing(world, heard):
    here = world(settings={"apps": ["demo"]})
    daemon = here.daemons[0]
    daemon.config.write_text('apps = [ "other" ];\nlimits: { admins_per_ap = 1; };\nredis: { port = 0; };\n')
    said = reload(daemon, "not reloaded")
    assert f"{daemon.config}:2: unknown setting 'limits.admins_per_ap', did you mean 'admins_per_app'?" in said
    assert f"{daemon.config}:3: redis.port must be from 1 to 65535, not 0" in said
    daemon.config.unlink()
    assert "cannot be read: No such file" in reload(daemon, "not reloaded")
    wait_for(heard, lambda: heard().count("READY=1") == 3)  # that of the start is one
    here.ask({**CREATE, "account": "a"})
    assert here.ask({**CREATE, "app": "other", "account": "a"}).code == "app_forbidden"
    set_settings(daemon, apps=["demo"])
    assert "changed: nothing" in reload(daemon)
    daemon.stop()


def test_reload_before_the_topics_are_there(world, kafka):
    """What is changed while accountd waits is in force when it serves."""
    here = world(start=False)
    daemon = here.daemon(start=False, kafka={"exports": here.name + ".later"}, worker={"threads": 1}).start(ready=False)
    wait_for(daemon.log, lambda: "does not exist" in daemon.log())
    set_settings(daemon, apps=["demo"])
    reload(daemon, "changed: apps")
    kafka.make_topic(here.name + ".later", 2)
    daemon.wait_ready()
    here.model.allowed_apps = ["demo"]
    here.ask({**CREATE, "account": "a"})
    assert here.ask({**CREATE, "app": "other", "account": "a"}).code == "app_forbidden"
    daemon.stop()


@pytest.mark.parametrize("exports", ["exports", "later"])
def test_systemd_hears_what_it_does(world, heard, exports):
    """What it waits for or serves, and that it stops: also where it was waiting for a topic."""
    here = world(start=False)
    daemon = here.daemon(start=False, kafka={"exports": f"{here.name}.{exports}"}).start(ready=exports == "exports")
    doing = f"topic {here.name}.later does not exist" if exports == "later" else "partitions, lag 0"
    wait_for(heard, lambda: any("STATUS=" in text and doing in text for text in heard()))
    assert heard().count("READY=1") == 1
    assert not any("STOPPING=1" in text for text in heard())
    daemon.stop()
    assert sum(text.startswith("STOPPING=1\nSTATUS=stopping") for text in heard()) == 1, heard()


def test_reloads_under_load(world, seed):
    """As fast as they can be sent. Batches of all sizes come and go; every command is answered once."""
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    daemon = here.daemons[0]
    load.post(here, 1500)
    reloads = 0
    while answered(here) < len(here.posted):
        reloads += 1
        set_settings(daemon, worker={"batch_max": 1 + reloads * 7 % 60, "threads": 2})
        reload(daemon)
    assert reloads >= 3
    for record in here.posted:
        here.check(record, 60)
    here.check_exactly_once()
    here.check_redis()
    daemon.stop()


# ---- Topics that accountd makes


ROLES = ("commands", "replies", "exports", "changelog", "dead_letters")


def without_topics(here, **settings):
    """A daemon whose topics nobody has made yet."""
    names = {role: f"{here.name}.made.{role}" for role in ROLES}
    return here.daemon(start=False, kafka=names, **settings)


def create_topics(daemon):
    return run("accountd", "--create-topics", "-c", daemon.config)


def topic_settings(kafka, name):
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    found = kafka.admin.describe_configs([resource])[resource].result(15)
    partitions = kafka.admin.list_topics(name, timeout=5).topics[name].partitions
    return len(partitions), found["cleanup.policy"].value, int(found["max.message.bytes"].value)


def test_create_topics(world, kafka):
    """Once; the second time there is nothing to do; and commands are served then."""
    here = world(start=False)
    daemon = without_topics(here, topics={"partitions": 3}, limits={"command_bytes": 2000000})
    code, said = create_topics(daemon)
    assert code == OK and said.count("was made, with 3 partitions") == 5, said
    for role in ROLES:
        wanted = (3, "compact" if role == "changelog" else "delete", 2065536 if role == "commands" else 1048588)
        assert topic_settings(kafka, f"{here.name}.made.{role}") == wanted, role
    code, said = create_topics(daemon)
    assert code == OK and "was made" not in said and said.count("3 partitions") == 5, said
    daemon.start()
    assert_ends(OK, "accountctl", "-c", daemon.config, "--app", "demo", "create", "a")
    daemon.stop()


def test_create_what_is_missing(world, kafka):
    """What is there decides how many partitions the others get, and stays as it is."""
    here = world(start=False)
    daemon = without_topics(here)
    kafka.make_topic(f"{here.name}.made.commands", 2)
    kafka.make_topic(f"{here.name}.made.replies", 1)
    kafka.make_topic(f"{here.name}.made.dead_letters", 1, max_message_bytes="1000")
    code, said = create_topics(daemon)
    assert code == CONFIG, said
    assert [line for line in said.splitlines() if line.startswith("error: ")] == [
        f"error: topic {here.name}.made.dead_letters takes messages of at most 1000 bytes: "
        "set max.message.bytes to 1000000 or more"
    ]
    assert topic_settings(kafka, f"{here.name}.made.changelog")[:2] == (2, "compact")
    assert topic_settings(kafka, f"{here.name}.made.replies")[0] == 1
    daemon.start(ready=False)
    assert daemon.process.wait(30) == CONFIG, daemon.log()


def test_topics_are_made_at_the_start(world, kafka):
    """By whichever of two daemons is quicker."""
    here = world(start=False)
    settings = {"topics": {"create": True, "partitions": 2}, "worker": {"threads": 1}}
    both = [without_topics(here, **settings), without_topics(here, **settings)]
    for daemon in both:
        daemon.start(ready=False)
    for daemon in both:
        daemon.wait_ready()
    assert_ends(OK, "accountctl", "-c", both[0].config, "--app", "demo", "create", "a")
    assert topic_settings(kafka, f"{here.name}.made.changelog")[:2] == (2, "compact")
    for daemon in both:
        daemon.stop()


def test_topics_that_cannot_be_made(world):
    here = world(start=False)
    daemon = without_topics(here, topics={"create": True, "replication_factor": 3})
    code, said = create_topics(daemon)
    assert code in (NOPERM, CONFIG) and "commands cannot be made: " in said and "replication factor" in said.lower(), said
    daemon.start(ready=False)
    wait_for(daemon.log, lambda: "cannot be made" in daemon.http("/readyz")[1])
    daemon.stop()


def test_a_lost_changelog_is_not_made_anew(world, kafka):
    """An empty one would pass for whole when Redis is to be restored from it."""
    here = world(settings={"topics": {"create": True}, "worker": {"threads": 1}})
    daemon = here.daemons[0]
    here.ask({**CREATE, "account": "a"})
    daemon.stop()
    kafka.admin.delete_topics([here.topics.changelog])[here.topics.changelog].result(15)
    code, said = create_topics(daemon)
    assert code == CONFIG, said
    assert f"{here.topics.changelog} is missing, and group {here.name} has answered commands" in said
    daemon.start(ready=False)
    assert daemon.process.wait(30) == CONFIG, daemon.log()
