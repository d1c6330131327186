"""Exactly one effect and exactly one reply for each command, whatever happens to the processes and connections."""

import random
import signal
import time

import pytest

from generator import SMALL, Load, answered, check_everything, wait_until_it_works
from servers import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.mark.parametrize("processes, kills", [(1, 20), (2, 12)])
def test_killed_again_and_again_under_load(world, seed, processes, kills):
    chance = random.Random(seed)
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    if processes == 2:
        here.daemon()
    burst = 1000
    for _ in range(kills):
        load.post(here, burst)
        victim = chance.choice(here.daemons)
        wait_until_it_works(here, chance, burst)
        victim.kill()
        victim.start(ready=False)
    check_everything(here)
    print(f"{kills} kills, {processes} process(es)")
    for daemon in here.daemons:
        daemon.wait_ready()
        daemon.stop()


def test_a_process_more_and_a_process_less(world, seed):
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    first = here.daemons[0]
    load.post(here, 2000)
    second = here.daemon(start=False)
    second.start(ready=False)
    for _ in range(10):
        load.post(here, 300)
        time.sleep(0.1)
    second.wait_ready()
    load.post(here, 2000)
    first.stop()
    load.post(here, 2000)
    first.start(ready=False)
    load.post(here, 2000)
    second.stop()
    load.post(here, 500)
    check_everything(here)
    first.stop()


def test_a_process_that_sleeps_through_its_replacement(world, seed):
    chance = random.Random(seed)
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    here.daemon()
    for sleeper in here.daemons:
        load.post(here, 1500)
        wait_until_it_works(here, chance, 1500)
        sleeper.send(signal.SIGSTOP)
        load.post(here, 500)
        # Longer than session.timeout.ms: the other one gets the partitions and serves them.
        wait_for(lambda: f"all replies\n{here.logs()}", lambda: answered(here) >= len(here.posted), 30)
        sleeper.send(signal.SIGCONT)
        load.post(here, 500)
    check_everything(here)
    for daemon in here.daemons:
        daemon.stop()
