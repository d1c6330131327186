"""Settings that no other test uses, and commands that Kafka dropped before they were read."""

import pytest
import redis
from confluent_kafka import TopicPartition

from daemon import QUICK
from servers import wait_for

CREATE = {"op": "create", "app": "demo", "account": "alice"}


@pytest.mark.parametrize("username", ["", "accountd"])
def test_a_redis_that_wants_a_password(world, tmp_path, username):
    secret = tmp_path / "secret"
    secret.write_text("s3cret word\n")
    settings = {"redis": {"password_file": str(secret), "username": username, "database": 3}}
    here = world(settings=settings, start=False)
    if username:
        here.redis.acl_setuser(username, enabled=True, passwords=["+s3cret word"], keys=["*"], commands=["+@all"])
    else:
        here.redis.config_set("requirepass", "s3cret word")
        here.redis.execute_command("AUTH", "s3cret word")
    here.daemon()
    assert here.ask(CREATE).reply["status"] == "ok"
    here.daemons[0].stop()
    password = None if username else "s3cret word"
    there = redis.Redis(port=here.redis_server.port, db=3, password=password, decode_responses=True)
    assert there.hget("acct:{demo}:alice", "rev") == "1"
    assert there.select(0) and there.keys("*") == []


def test_commands_that_kafka_dropped_unread_stop_their_partition(world):
    here = world(partitions=1, settings={"worker": {"threads": 1}})
    here.ask(CREATE)
    here.daemons[0].stop()
    for _ in range(5):
        here.post({"op": "get", "app": "demo", "account": "alice"})
    here.poster.flush()
    place = TopicPartition(here.topics.commands, 0, 4)
    here.kafka.admin.delete_records([place])[place].result(15)
    daemon = here.daemons[0].start(ready=False)
    halted = "accountd_halted_partitions 1"
    wait_for(lambda: f"the halt\n{daemon.log()}", lambda: halted in daemon.http("/metrics")[1], 30)
    assert daemon.http("/readyz")[0] == 503


CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def codec(here, topic, partition=0):
    """How the first batch of a log is compressed: the lowest three bits of its attributes, which are behind its offset,
    length, epoch, version and sum."""
    log = here.kafka.directory / "data" / f"{topic}-{partition}" / f"{0:020}.log"
    wait_for(f"a batch in {log}", lambda: log.stat().st_size > 23)
    return CODECS[log.read_bytes()[22] & 7]


@pytest.mark.parametrize("said, replies, changelog", [
    ([], "none", "lz4"),
    (["compression.codec=none"], "none", "none"),
    (["compression.codec=gzip"], "gzip", "gzip"),
])  # fmt: skip
def test_what_is_compressed(world, said, replies, changelog):
    here = world(partitions=1, settings={"kafka": {"properties": QUICK + said}})
    assert here.ask(CREATE).reply["status"] == "ok"
    assert codec(here, here.topics.replies) == replies
    assert codec(here, here.topics.changelog) == changelog
