"""What operators do with settings: look at them and at the servers, give them by the environment, change them
while accountd runs, and let it make its topics."""

from servers import free_port
from test_exits import CONFIG, OK, USAGE, assert_ends, run

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
