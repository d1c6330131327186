"""A Redis that lost its memory, wholly or in part, is restored from the changelog: no reply is repeated, and what
Redis holds is what the replies said."""

import random

import pytest
from generator import SMALL, Load, answered, check_everything, wait_until_it_works
from servers import wait_for

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
        loss(here)
        load.post(here, 300)
        wait_for(here.logs, lambda: recoveries(here) >= turn, 60)
    check_everything(here)
    for daemon in here.daemons:
        daemon.wait_ready()
        daemon.stop()
