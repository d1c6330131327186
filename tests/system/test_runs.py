"""Runs: batches of one partition that are applied one after the other and answered in one transaction."""

import random

import pytest

from generator import answered, check_everything, wait_until_it_works
from test_metrics import samples

pytestmark = pytest.mark.long

# Of new accounts a run takes twice as many commands as batch_max says, in eight calls of Redis.
RUN = 4000

# So long that a run's replies do not fit one record batch of a megabyte, nor its changes.
ID = "import-of-november-{:05d}-" + 39 * "x"
PROFILE = {"signature": "gone fishing, back on day one " + 6 * "or another ", "nickname": "N"}


def post_new(here, first, count):
    for number in range(first, first + count):
        account = f"new-{number}"
        here.post({"op": "create", "app": "demo", "id": ID.format(number), "account": account, "profile": PROFILE}, partition=0)
    here.poster.flush()


def test_an_import_is_answered_in_few_transactions(world):
    here = world(partitions=1, settings={"worker": {"threads": 1}}, start=False)
    post_new(here, 0, 3 * RUN)
    daemon = here.daemon()
    check_everything(here)
    now = samples(daemon)
    batches, transactions = now["accountd_batches_total"], now['accountd_transactions_total{result="committed"}']
    # The first batch is no run, since nothing got through yet; the second run takes what had come until then.
    assert batches > 20 and transactions <= 8, f"{batches} batches in {transactions} transactions"
    assert now['accountd_transactions_total{result="failed"}'] == 0
    assert here.redis.keys("accountd:outbox:*") == []
    daemon.stop()


def test_killed_in_the_middle_of_runs(world, seed):
    chance = random.Random(seed)
    here = world(partitions=1, settings={"worker": {"threads": 1}}, start=False)
    post_new(here, 0, RUN)
    daemon = here.daemon(start=False)
    for turn in range(1, 7):
        daemon.start(ready=False)
        post_new(here, turn * RUN, RUN)
        wait_until_it_works(here, chance, RUN)
        daemon.kill()
    print(f"{answered(here)} of {len(here.posted)} answered when it was killed for the last time")
    daemon.start(ready=False)
    check_everything(here)
    daemon.stop()
