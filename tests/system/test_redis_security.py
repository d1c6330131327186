"""Redis with access control and TLS: the user that docs/security.md makes for accountd can do what accountd does, and
nothing else; and no connection is made to a server that is not the one it should be."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import exports
from certificates import Authority
from servers import ROOT, WITH_PARENT, free_port, wait_for
from test_exits import CONFIG, CREATE, OK, assert_ends, run
from test_signed import SECRETS, signed, write_secret

UNREACHABLE, NOPERM = 69, 77
HAS_TLS = subprocess.call(["pkg-config", "--exists", "hiredis_ssl"]) == 0
needs_tls = pytest.mark.skipif(not HAS_TLS, reason="hiredis has no TLS")
PASSWORD = "hush hush"


def block(info):
    document = (ROOT / "docs/security.md").read_text()
    [text] = re.findall(rf"^```{info}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    return text


def make_user(here, directory, prefix=""):
    """Runs the document's commands on the world's Redis. Returns the rules."""
    secret = directory / "redis-password"
    secret.write_text(PASSWORD + "\r\n")
    script = block("sh redis-user").replace("/etc/credstore/accountd.redis-password", str(secret))
    script = script.replace("'~", f"'~{prefix}")
    script = script.replace("redis-cli ", f"redis-cli -p {here.redis_server.port} ")
    printed = subprocess.check_output(["bash", "-euo", "pipefail", "-c", script], text=True)
    assert printed == "OK\n", printed
    rules = re.search(r'"#\$hash"(.*)', script.replace("\\\n", ""), re.DOTALL).group(1)
    return rules.replace("'", "").split()


@pytest.fixture
def make(world, tmp_path):
    def made(prefix="", **redis):
        write_secret(tmp_path / "key", SECRETS["all"])
        settings = {
            "redis": {"key_prefix": prefix, **redis},
            "worker": {"threads": 1},
            "auth": {"keys": [f"all file={tmp_path}/key"], "ids_max": 2},
        }
        here = world(start=False, settings=settings)
        rules = make_user(here, tmp_path, prefix)
        login = {"username": "accountd", "password_file": str(tmp_path / "redis-password")}
        return here, here.daemon(start=False, redis=login), rules

    return made


def serve(here):
    """Commands of all kinds, with all that makes a difference in Redis."""
    names = [f"a{i}" for i in range(5)]
    here.send(*({**CREATE, "account": name, "profile": {"level": 1}} for name in names))
    here.send({**CREATE, "account": "chief", "type": "admin"}, {"op": "delete", "app": "demo", "account": "a4"})
    page = here.ask({"op": "list", "app": "demo", "limit": 2}).reply
    here.send({"op": "list", "app": "demo", "limit": 2, "after": page["next"]})
    here.send({"op": "edit", "app": "demo", "account": "a0", "profile": {"level": None, "nickname": "x"}})
    here.send({"op": "get", "app": "demo", "account": "a1"}, {**CREATE, "account": "a4"})
    here.send({"op": "export", "app": "demo", "accounts": names, "format": "csv"})
    here.send({**CREATE, "account": "boss", "type": "admin"})
    here.send({"op": "delete", "app": "demo", "account": "boss"})
    # More signed ones than are remembered.
    for i in range(4):
        value = json.dumps({"op": "get", "app": "demo", "account": "a1", "id": f"signed-{i}"}).encode()
        record = here.post(value, headers=signed(SECRETS["all"], "all", here.topics.commands, None, value))
        here.poster.flush()
        here.check(record)


def test_the_rules_are_enough(make):
    here, daemon, rules = make("p:")
    daemon.start()
    serve(here)
    daemon.stop()
    daemon.start()  # with nothing in the cache
    here.send({"op": "get", "app": "demo", "account": "a0"}, {"op": "delete", "app": "demo", "account": "a2"})
    exports.check(here, here.ask({"op": "export", "app": "demo", "all": True}))
    # What Redis lost is restored, what should not be there is taken away.
    here.redis.hset("p:acct:{demo}:nobody", "rev", 7)
    here.redis.delete("p:accountd:incarnation", "p:accountd:marker:0")
    here.send({"op": "get", "app": "demo", "account": "a1"})
    here.redis.flushall()
    here.send({"op": "edit", "app": "demo", "account": "a1", "profile": {"level": 2}})
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()
    assert here.redis.acl_log() == [], here.redis.acl_log()
    code, printed = run("accountd", "--check-config", "--connect", "-c", daemon.config)
    assert code == OK, printed
    daemon.stop()
    # Each command was called, and each pattern has keys.
    called = here.redis.info("commandstats")
    unused = [rule for rule in rules if rule[0] == "+" and f"cmdstat_{rule[1:]}" not in called]
    assert not unused + [rule for rule in rules if rule[0] == "~" and not here.redis.keys(rule[1:])]


def test_each_rule_is_looked_for(make):
    here, daemon, rules = make()
    secret = daemon.settings["redis"]["password_file"]
    users = {}
    for i, rule in enumerate(rules):
        others = [other for other in rules if other != rule]
        here.redis.execute_command("ACL", "SETUSER", f"user{i}", "reset", "on", ">" + PASSWORD, *others)
        users[rule] = here.daemon(start=False, redis={"username": f"user{i}", "password_file": secret})

    def check(rule):
        return rule, *run("accountd", "--check-config", "--connect", "-c", users[rule].config)

    with ThreadPoolExecutor(4) as pool:
        for rule, code, printed in pool.map(check, rules):
            assert code == NOPERM, (rule, printed)
            errors = [line for line in printed.splitlines() if line.startswith("error:")]
            if rule.startswith("~"):
                key = rule[1:].removesuffix("*")
                assert errors and all(f" {key}" in line for line in errors), (rule, printed)
            else:
                assert len(errors) == 1 and rule[1:].split("|")[0].upper() in errors[0], (rule, printed)


COMMITS_WITH = ["set", "del", "rename", "hset", "hdel", "restore", "zadd", "zrem", "zremrangebyrank", "sadd", "srem"]


def test_a_right_that_is_taken_away(make):
    """The batch is not applied by halves: each command has its one effect when the right is there again."""
    here, daemon, rules = make()
    assert {f"+{command}" for command in COMMITS_WITH} <= set(rules)
    daemon.start()
    here.send({**CREATE, "account": "alice"}, {**CREATE, "account": "gone"})
    for turn, command in enumerate(COMMITS_WITH):
        daemon.stop()
        posted = [
            here.post({"op": "edit", "app": "demo", "account": "alice", "profile": {"level": turn}}),
            here.post({**CREATE, "account": f"new{turn}", "type": "admin" if turn % 2 else "general"}),
            here.post({"op": "delete", "app": "demo", "account": f"new{turn - 1}" if turn else "gone"}),
        ]
        here.poster.flush()
        before = here.redis.hgetall("acct:{demo}:alice")
        here.redis.execute_command("ACL", "SETUSER", "accountd", f"-{command}")
        # The last two are Redis' own words within a function, up to 7.0 and later.
        words = ["NOPERM", "can't run this command", "has no permissions"]
        refused = lambda: sum(map(daemon.told, words))
        so_far = refused()
        daemon.start(ready=False)
        wait_for(daemon.log, lambda: refused() > so_far)
        assert here.redis.hgetall("acct:{demo}:alice") == before
        here.redis.execute_command("ACL", "SETUSER", "accountd", f"+{command}")
        daemon.stop()
        daemon.start()
        for record in posted:
            here.check(record)
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()
    daemon.stop()


def test_a_wrong_password(make, tmp_path):
    here, daemon, _ = make()
    (tmp_path / "redis-password").write_text("not this\n")
    code, printed = run("accountd", "--check-config", "--connect", "-c", daemon.config)
    assert code == NOPERM and "refuses the login: WRONGPASS" in printed and "not this" not in printed, printed


# ---- TLS


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def encrypted(world, authority):
    """A world whose Redis has a port with TLS, too, and a certificate for localhost."""

    def made(clients="no", **how):
        here = world(start=False, **how)
        server = authority.issue("redis", "DNS:localhost", "IP:127.0.0.1")
        here.tls_port = free_port()
        tls = {"cert-file": server.certificate, "key-file": server.key, "ca-cert-file": authority.file}
        tls |= {"auth-clients": clients, "port": here.tls_port}
        words = [word for name, value in tls.items() for word in (f"tls-{name}", str(value))]
        assert here.redis.execute_command("CONFIG", "SET", *words)
        return here

    return made


def by_tls(here, authority, **more):
    tls = {"host": "localhost", "port": here.tls_port, "tls": True, "tls_ca_file": str(authority.file)}
    return here.daemon(start=False, redis={**tls, **more})


def connect(daemon):
    return run("accountd", "--check-config", "--connect", "-c", daemon.config)


@pytest.mark.skipif(HAS_TLS, reason="hiredis has TLS")
def test_no_tls(encrypted, authority):
    """Never in the clear instead."""
    daemon = by_tls(encrypted(), authority)
    for action in ([], ["--check-config"], ["--check-config", "--connect"], ["--create-topics"]):
        said = assert_ends(CONFIG, "accountd", *action, "-c", daemon.config)
        assert "redis.tls: this accountd was built with a hiredis that has no TLS" in said
        assert "stunnel" in said and "docs/security.md" in said
    assert "redis.tls: this accountd" in assert_ends(1, "accountctl", "-c", daemon.config, "rebuild")


@needs_tls
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls(encrypted, authority, host):
    """Everything, a batch of some megabytes among it, and connections that break."""
    here = encrypted()
    daemon = by_tls(here, authority, host=host).start()
    serve(here)
    many = [{**CREATE, "account": f"m{i}", "profile": {"signature": "s" * 200}} for i in range(1500)]
    here.send(*many)
    here.redis.client_kill_filter(_type="normal", skipme=True)
    here.send({"op": "get", "app": "demo", "account": "a1"}, {**CREATE, "account": "late"})
    here.redis.flushall()
    here.send({"op": "get", "app": "demo", "account": "m7"})
    here.check_exactly_once()
    here.check_redis()
    assert connect(daemon)[0] == OK
    daemon.stop()


@needs_tls
def test_tls_with_a_certificate_of_ours(encrypted, authority, tmp_path, monkeypatch):
    here = encrypted("yes")
    own = authority.issue("accountd")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(own.key.parent))
    daemon = by_tls(here, authority, tls_certificate_file=str(own.certificate), tls_key_file=own.key.name).start()
    serve(here)
    assert connect(daemon)[0] == OK
    daemon.stop()
    code, printed = connect(by_tls(here, authority))
    assert code == UNREACHABLE and "closes the connection" in printed and "tls_certificate_file" in printed, printed


@needs_tls
def test_tls_with_somebody_else(encrypted, authority, tmp_path):
    """Refused in each way, clearly; and never in the clear instead."""
    here = encrypted()
    stranger = Authority(tmp_path, "stranger")
    own = authority.issue("accountd")
    certificate = {"tls_certificate_file": str(own.certificate)}
    for settings, code, wanted in [
        ({"tls_ca_file": str(stranger.file)}, NOPERM, "no TLS: TLS: the certificate of 'localhost' is refused: "),
        ({"tls_ca_file": ""}, NOPERM, "no TLS: TLS: the certificate of 'localhost' is refused: "),
        ({"tls_server_name": "other"}, NOPERM, "the certificate of 'other' is refused: .*ostname mismatch"),
        ({"host": "127.0.0.2"}, UNREACHABLE, "refused"),
        ({"tls_server_name": "127.0.0.2"}, NOPERM, "the certificate of '127.0.0.2' is refused: IP address mismatch"),
        ({"port": here.redis_server.port}, UNREACHABLE, "cannot be reached: TLS: "),
        ({"tls": False}, UNREACHABLE, "closes the connection: .*: see redis.port, redis.tls"),
        ({"tls_ca_file": "/nonexistent"}, NOPERM, "redis.tls_ca_file '/nonexistent': "),
        ({**certificate, "tls_key_file": str(stranger.own.key)}, NOPERM, "redis.tls_key_file '.*': "),
        ({**certificate, "tls_key_file": "/nonexistent"}, NOPERM, "redis.tls_key_file '/nonexistent': "),
        (certificate, CONFIG, "redis.tls_certificate_file and redis.tls_key_file go together"),
        ({"socket": "/tmp/socket"}, CONFIG, "redis.tls goes with redis.host and redis.port"),
    ]:
        daemon = by_tls(here, authority, **settings)
        found, printed = connect(daemon)
        assert found == code and re.search(wanted, printed), (settings, found, printed)
    daemon = by_tls(here, authority, tls_server_name="other").start(ready=False)
    wait_for(daemon.log, lambda: "ostname mismatch" in daemon.http("/readyz")[1])
    assert not here.redis.keys("*")
    daemon.stop()


@pytest.mark.parametrize("name", ["localhost", "other"])
def test_stunnel(encrypted, authority, tmp_path, name):
    """The document's file, as it is but for names and ports."""
    here = encrypted()
    accept = free_port()
    file = tmp_path / "stunnel.conf"
    text = block("ini stunnel").replace("127.0.0.1:6379", f"127.0.0.1:{accept}")
    text = text.replace("redis:6380", f"localhost:{here.tls_port}").replace("/etc/accountd/ca.crt", str(authority.file))
    text = text.replace("checkHost = redis", f"checkHost = {name}")
    file.write_text("foreground = quiet\npid =\nsyslog = no\n" + f"output = {tmp_path}/stunnel.log\n" + text)
    stunnel = subprocess.Popen([*WITH_PARENT, "stunnel", str(file)])
    try:
        daemon = here.daemon(start=False, redis={"port": accept})
        if name == "localhost":
            daemon.start()
            serve(here)
            here.check_redis()
            assert connect(daemon)[0] == OK
        else:
            daemon.start(ready=False)
            closed = "Redis: (Server closed the connection|Connection reset by peer)"
            wait_for(daemon.log, lambda: re.search(closed, daemon.http("/readyz")[1]))
            log = (tmp_path / "stunnel.log").read_text
            wait_for(log, lambda: "verify failed" in log())
            assert connect(daemon)[0] == UNREACHABLE and not here.redis.keys("*")
        daemon.stop()
    finally:
        stunnel.kill()
        stunnel.wait()
