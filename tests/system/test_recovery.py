"""A Redis that lost its memory, wholly or in part, is restored from the changelog: no reply is repeated, and what
Redis holds is what the replies said."""

import random
import signal
import subprocess
import time

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from client import Poster
from daemon import QUICK
from generator import SMALL, Load, answered, check_everything, wait_until_it_works
from proxy import Proxy
from servers import BUILD, Redis, wait_for

pytestmark = pytest.mark.long

CREATE = {"op": "create", "app": "demo"}


def emptied(here):
    here.redis.flushall()


def restarted_without_persistence(here):
    here.redis_server.kill()
    (here.redis_server.directory / "dump.rdb").unlink(missing_ok=True)
    here.redis_server.start()


def rolled_back(here):
    """To what was saved at the beginning of the test."""
    here.redis_server.kill()
    here.redis_server.start()


def restarted_whole(here):
    here.redis.save()
    here.redis_server.kill()
    here.redis_server.start()


LOSSES = [emptied, restarted_without_persistence, rolled_back, restarted_whole]


def metric(daemon, name):
    for line in daemon.http("/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise AssertionError(f"no metric {name}")


def recoveries(here):
    return sum(metric(daemon, "accountd_recoveries_total") for daemon in here.daemons if daemon.running())


def fill(here):
    """Accounts, admins, a deleted one, one that was made again; and what a rollback goes back to."""
    for name in ("a", "b", "c", "d", "e"):
        here.send({**CREATE, "account": name, "profile": {"nickname": f"é{name}", "level": 7, "custom": {"K": "v"}}})
    here.send({**CREATE, "account": "chief", "type": "admin"}, {"op": "delete", "app": "demo", "account": "b"})
    here.redis.save()
    here.send({"op": "edit", "app": "demo", "account": "a", "profile": {"level": 8, "nickname": ""}})
    here.send({"op": "delete", "app": "demo", "account": "c"}, {**CREATE, "account": "b"})
    here.send({**CREATE, "account": "late", "type": "admin"}, {**CREATE, "app": "other", "account": "a"})


def check_all(here):
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("running", [True, False])
def test_what_was_answered_is_restored(world, loss, running):
    here = world(partitions=2)
    daemon = here.daemons[0]
    fill(here)
    if not running:
        daemon.stop()
    loss(here)
    if not running:
        daemon.start(ready=False)
    # Noticed without any command, and mended before the first one.
    wait_for(here.logs, lambda: daemon.http("/metrics")[0] == 200 and recoveries(here) == 1, 30)
    daemon.wait_ready()
    here.check_redis()
    assert here.ask({**CREATE, "account": "a"}).code == "account_exists"
    assert here.ask({**CREATE, "account": "c"}, partition=1).reply["revision"] == 3  # 1, deleted by 2
    assert here.ask({"op": "get", "app": "demo", "account": "a"}).reply["record"]["revision"] == 2
    check_all(here)
    assert recoveries(here) == 1
    daemon.stop()


@pytest.mark.parametrize("loss", LOSSES)
def test_lost_under_load(world, loss, seed):
    """Two processes, commands all the time, and Redis loses its memory again and again."""
    chance = random.Random(seed)
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    here.daemon()
    load.post(here, 500)
    wait_for(here.logs, lambda: answered(here) >= len(here.posted), 30)
    here.redis.save()
    for turn in range(1, 4):
        load.post(here, 1000)
        wait_until_it_works(here, chance, 1000)
        # A backlog, behind which the others must still hear that the group is joined anew.
        load.post(here, 3000)
        loss(here)
        load.post(here, 300)
        wait_for(here.logs, lambda: recoveries(here) >= turn, 25)
    check_everything(here)
    for daemon in here.daemons:
        daemon.wait_ready()
        daemon.stop()


def rebuild(here, *options, code=0):
    command = [BUILD / "accountctl", "-c", here.daemons[0].config, "rebuild", *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{done}\n{here.logs()}"
    return done.stderr if code else done.stdout


@pytest.mark.parametrize("running", [True, False])
def test_rebuild_on_demand(world, running):
    here = world(partitions=2)
    daemon = here.daemons[0]
    fill(here)
    if not running:
        daemon.stop()
    assert "Redis is whole" in rebuild(here)
    assert "8 accounts in " in rebuild(here, "--force")
    if not running:
        here.redis.flushall()
        assert "8 accounts in " in rebuild(here)
        here.check_redis()
        daemon.start()
    check_all(here)
    assert here.ask({**CREATE, "account": "c"}).reply["revision"] == 3
    assert recoveries(here) == 0
    daemon.stop()


def test_everything_that_is_not_in_the_changelog_goes(world):
    """Hashes, members and scores that others wrote, and keys of a wrong type, do not survive a restore."""
    here = world(partitions=2)
    fill(here)
    here.redis.hset("acct:{demo}:a", "nickname", "forged")
    here.redis.hset("acct:{demo}:d", "unheard_of", "x")
    here.redis.hset("acct:{demo}:ghost", "rev", "1")
    here.redis.delete("acct:{demo}:e")
    here.redis.set("acct:{demo}:e", "no hash")
    here.redis.zadd("accounts:{demo}", {"ghost": 1, "a": 1})
    here.redis.sadd("admins:{demo}", "ghost")
    here.redis.srem("admins:{demo}", "chief")
    here.redis.hset("deleted:{demo}", "ghost", "9")
    here.redis.set("deleted:{other}", "no hash")
    here.redis.set("somebody:else", "stays")
    assert "8 accounts in " in rebuild(here, "--force")
    here.check_redis()
    assert here.redis.hgetall("deleted:{demo}") == {"c": "2"}
    assert here.redis.get("somebody:else") == "stays"
    check_all(here)
    here.daemons[0].stop()


def set_offset(here, partition, offset):
    """As an operator does it while nobody is in the group."""
    place = TopicPartition(here.topics.commands, partition, offset)
    request = [ConsumerGroupTopicPartitions(here.name, [place])]
    for future in here.kafka.admin.alter_consumer_group_offsets(request).values():
        future.result(15)


def halted(here, *words):
    daemon = here.daemons[0]

    def refuses():
        status, text = daemon.http("/readyz")
        return status == 503 and all(word in text for word in words)

    wait_for(lambda: f"{words} in {daemon.http('/readyz')}\n{here.logs()}", refuses, 30)
    assert metric(daemon, "accountd_halted_partitions") > 0


def test_offsets_that_an_operator_has_set(world):
    """Skipped commands get no effect and no reply, also when they were applied already; but only once accepted."""
    here = world(partitions=2)
    daemon = here.daemons[0]
    fill(here)
    daemon.stop()
    skipped = [here.post({**CREATE, "account": "skipped"}, partition=1) for _ in range(3)]
    here.poster.flush()
    set_offset(here, 1, skipped[-1].offset + 1)
    daemon.start(ready=False)
    halted(here, "partition 1", "--accept-offsets")
    # The other partition goes on.
    assert here.ask({"op": "get", "app": "demo", "account": "a"}, partition=0).reply["status"] == "ok"
    assert "8 accounts in " in rebuild(here, "--accept-offsets")
    daemon.wait_ready(60)
    assert here.ask({**CREATE, "account": "skipped"}, partition=1).reply["revision"] == 1
    here.posted = [record for record in here.posted if record not in skipped]
    check_all(here)
    daemon.stop()


def set_policy(here, policy):
    entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, here.topics.changelog, incremental_configs=[entry])
    for future in here.kafka.admin.incremental_alter_configs([resource]).values():
        future.result(15)


def cut(here):
    """Somebody deletes records of the changelog."""
    place = TopicPartition(here.topics.changelog, 0, 2)

    def deleted():
        try:
            here.kafka.admin.delete_records([place])[place].result(15)
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError.POLICY_VIOLATION:
                raise
            return False
        return True

    set_policy(here, "delete")
    # The controller has the new policy before the log has it.
    wait_for("the log takes a deletion", deleted)
    set_policy(here, "compact")


def made_anew(here):
    """Somebody deletes the changelog and makes it again."""
    here.changelog.close()
    name = here.topics.changelog
    here.kafka.admin.delete_topics([name])[name].result(15)
    wait_for("the topic is gone", lambda: name not in here.kafka.admin.list_topics(timeout=5).topics)
    here.kafka.make_topic(name, here.partitions, cleanup_policy="compact")


def written_by_somebody_else(here):
    here.poster.producer.produce(here.topics.changelog, b"{}", b"demo/a", 1)
    here.poster.flush()


def written_under_another_key(here):
    """Right in itself; but the account's next change would not replace it."""
    record = next(message for message in here.changelog.since() if message.key == b"demo/a")
    here.poster.producer.produce(here.topics.changelog, record.value, b"demo/other", 1)
    here.poster.flush()


@pytest.mark.parametrize("damage", [cut, made_anew, written_by_somebody_else, written_under_another_key])
def test_a_changelog_that_is_not_whole(world, damage):
    """Nothing is served, rather than something wrong; and what is left in Redis stays for who mends it."""
    here = world(partitions=2)
    daemon = here.daemons[0]
    fill(here)
    daemon.stop()
    damage(here)
    here.redis.delete("accountd:marker:0")
    before = here.redis.hgetall("acct:{demo}:a")
    daemon.start(ready=False)
    halted(here, "changelog")
    unanswered = [here.post({"op": "get", "app": "demo", "account": "a"}, partition=p) for p in (0, 1)]
    here.poster.flush()
    time.sleep(2)  # many times what an answer takes
    assert not any(here.messages_of(record) for record in unanswered)
    if damage in (cut, made_anew):
        assert here.redis.hgetall("acct:{demo}:a") == before
    assert "changelog" in rebuild(here, code=1)
    daemon.stop()


def test_what_somebody_else_wrote_and_what_was_written_over_it(world):
    """Compaction would take it away; whether it has yet must not decide whether Redis can be restored."""
    here = world(partitions=2)
    fill(here)
    here.ask({**CREATE, "account": "elsewhere"}, partition=1)
    here.daemons[0].stop()
    right = [message for message in here.changelog.since() if message.key == b"demo/a"][-1]
    for value in (b"{}", None, right.value):
        here.poster.producer.produce(here.topics.changelog, value, b"demo/a", 1)
        here.poster.flush()
    here.redis.flushall()
    here.daemons[0].start()
    assert recoveries(here) == 1
    here.check_redis()
    assert here.ask({"op": "get", "app": "demo", "account": "a"}).reply["status"] == "ok"
    here.daemons[0].stop()


def test_a_whole_redis_does_not_need_the_changelog(world):
    here = world(partitions=2)
    fill(here)
    cut(here)
    restarted_whole(here)
    wait_for(here.logs, lambda: recoveries(here) == 1, 30)
    assert here.ask({"op": "get", "app": "demo", "account": "a"}).reply["record"]["revision"] == 2
    here.daemons[0].stop()


def test_a_redis_of_another_deployment_is_left_alone(world):
    """A configuration that names the wrong Redis must not cost somebody else's accounts."""
    theirs = world(partitions=1)
    theirs.ask({**CREATE, "account": "precious"})
    theirs.daemons[0].stop()
    ours = world(partitions=1)
    ours.ask({**CREATE, "account": "own"})
    ours.daemons[0].stop()
    mistaken = ours.daemon(start=False, redis={"port": theirs.redis_server.port})
    mistaken.start(ready=False)
    wait_for(ours.logs, lambda: "another deployment" in mistaken.http("/readyz")[1], 30)
    assert theirs.redis.exists("acct:{demo}:precious")
    mistaken.stop()


def test_partitions_added_while_running(world):
    here = world(partitions=2, settings={"kafka": {"properties": [*QUICK, "topic.metadata.refresh.interval.ms=500"]}})
    fill(here)
    here.kafka.grow_topic(here.topics.commands, 4)
    here.partitions = 4
    here.poster = Poster(here.kafka.address, here.topics.commands)  # the old one knows two partitions
    here.topics.partitions[here.topics.commands] = 4
    assert here.ask({**CREATE, "account": "far"}, partition=3).reply["revision"] == 1
    here.redis.flushall()
    wait_for(here.logs, lambda: recoveries(here) == 1, 30)
    here.check_redis()
    assert here.ask({**CREATE, "account": "far"}, partition=2).code == "account_exists"
    here.daemons[0].stop()


def test_a_call_of_the_recovery_that_comes_late(world):
    """The call that empties the indexes is lost on the way, and arrives when they are full again."""
    here = world(partitions=2)
    fill(here)
    here.daemons[0].stop()
    here.redis.delete("accountd:marker:0")
    proxy = Proxy(here.redis_server.port)
    lost = []

    def at_finish(connection):
        proxy.needle = None
        late, call = lost[0]
        late.server.sendall(call)
        late.await_answer()

    def at_forget(connection):
        call, connection.held = connection.held, b""
        lost.append((connection, call))
        proxy.step_in(b"_finish", at_finish)
        connection.cut_client()

    proxy.step_in(b"accounts:{demo}", at_forget)
    daemon = here.daemon(redis={"port": proxy.port})
    assert len(lost) == 1 and proxy.needle is None, f"the proxy did not see the calls\n{here.logs()}"
    here.check_redis()
    check_all(here)
    daemon.stop()
    proxy.close()


def test_a_new_group_does_not_adopt_the_redis_of_another(world):
    theirs = world(partitions=1)
    theirs.ask({**CREATE, "account": "precious"})
    theirs.daemons[0].stop()
    ours = world(partitions=2, start=False)
    mistaken = ours.daemon(start=False, redis={"port": theirs.redis_server.port})
    mistaken.start(ready=False)
    ours.post({"op": "delete", "app": "demo", "account": "precious"}, partition=1)
    ours.poster.flush()
    wait_for(ours.logs, lambda: "another deployment" in mistaken.http("/readyz")[1], 30)
    assert theirs.redis.exists("acct:{demo}:precious")
    mistaken.stop()


def test_a_first_batch_that_was_not_answered_before_the_restore(world):
    here = world(partitions=2, settings={"worker": {"threads": 1}}, start=False)
    proxy = Proxy(here.redis_server.port)
    daemon = here.daemon(redis={"port": proxy.port})
    here.ask({**CREATE, "account": "a"}, partition=0)

    def act(connection):
        proxy.needle = None
        daemon.send(signal.SIGSTOP)
        call, connection.held = connection.held, b""
        connection.server.sendall(call)

    proxy.step_in(b"pending", act)
    record = here.post({**CREATE, "account": "pending"}, partition=1)
    here.poster.flush()
    wait_for("the commit", lambda: here.redis.exists("accountd:marker:1"), 15)
    daemon.kill()
    rebuild(here, "--force")
    daemon.start()
    assert here.check(record, 30).reply["revision"] == 1
    check_all(here)
    daemon.stop()
    proxy.close()


def test_a_recovery_that_was_impossible_is_tried_again(world):
    """Half a minute later, once somebody has mended what was wrong."""
    here = world(partitions=2)
    daemon = here.daemons[0]
    fill(here)
    here.redis.set("accountd:deployment", "somebody else's")
    here.redis.delete("accountd:incarnation")
    halted(here, "another deployment")
    here.redis.delete("accountd:deployment")
    daemon.wait_ready(60)
    assert metric(daemon, "accountd_halted_partitions") == 0
    check_all(here)
    daemon.stop()


def test_a_changelog_that_deletes_by_age_is_refused(world):
    here = world(partitions=1, start=False)
    set_policy(here, "compact,delete")
    daemon = here.daemon(start=False)
    daemon.start(ready=False)
    assert daemon.process.wait(30) == 78
    assert "cleanup.policy=compact" in daemon.log()


def test_a_first_replica_comes(world, tmp_path):
    """Redis takes a new replication id then, without a restart. One worker connects anew and sees it, one does not."""
    here = world(partitions=2)
    daemon = here.daemons[0]
    for partition in (0, 1):
        here.send({**CREATE, "account": f"a{partition}"}, partition=partition)
    replica = Redis(tmp_path / "replica")
    replica.client.replicaof("127.0.0.1", here.redis_server.port)
    wait_for("the replica", lambda: replica.client.info("replication").get("master_link_status") == "up")
    workers = [client for client in here.redis.client_list(_type="normal") if client["cmd"] in ("get", "fcall")]
    assert len(workers) == 2
    here.redis.client_kill_filter(_id=workers[0]["id"])
    for partition in (0, 1):
        here.send({**CREATE, "account": f"b{partition}"}, partition=partition)
    daemon.wait_ready()
    assert recoveries(here) <= 1, here.logs()
    check_all(here)
    replica.close()
    daemon.stop()
