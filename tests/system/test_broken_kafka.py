"""A broker that stops answering, or is killed and comes back, while commands are on their way."""

import signal
import time

import pytest

from generator import SMALL, Load
from servers import Kafka, wait_for
from world import World

pytestmark = [pytest.mark.long, pytest.mark.timeout(200)]


@pytest.fixture
def here(tmp_path):
    """A world on a broker of its own: what happens to it is nobody else's."""
    kafka = Kafka()
    world = World(kafka, tmp_path, "broken", partitions=4, settings=SMALL)
    yield world
    world.close()
    kafka.close()


def asleep(kafka):
    kafka.process.send_signal(signal.SIGSTOP)
    time.sleep(4)
    kafka.process.send_signal(signal.SIGCONT)


def killed(kafka):
    kafka.kill()
    time.sleep(1)
    kafka.start()


def test_a_broker_that_goes_and_comes_back(here, seed):
    load = Load(seed, partitions=4)
    daemon = here.daemons[0]
    for trouble in (asleep, killed):
        load.post(here, 1500)
        trouble(here.kafka)
        load.post(here, 300)
        assert daemon.running(), here.logs()
    wait_for(lambda: f"the last reply\n{here.logs()}", lambda: here.messages_of(here.posted[-1]), 90)
    for record in here.posted:
        here.check(record, 60)
    daemon.wait_ready()
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()
    daemon.stop()
