"""Fixtures: one broker for all tests; worlds (topics, Redis, daemon) for each module or test."""

import itertools
import os
import random
import tempfile

import pytest

from servers import Kafka
from world import World

numbers = itertools.count(1)

# Tests of accountctl are not to see the file of who runs them. Others keep settings of theirs there.
config_home = tempfile.TemporaryDirectory(prefix="accountd-config-")
os.environ["XDG_CONFIG_HOME"] = config_home.name


@pytest.fixture(scope="session")
def kafka():
    broker = Kafka()
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def shared(kafka, tmp_path_factory):
    """The world of all tests that need no settings of their own; each uses apps of its own there."""
    extra = [("team.blue", 3), ("commands.reply", 2), ("__secret", 1), ("private", 1), ("team.later.not", 1)]
    settings = {"kafka": {"reply_topics": ["commands.reply", r"^team\.[a-z]+$"]}}
    world = World(kafka, tmp_path_factory.mktemp("shared"), "shared", 2, extra, settings)
    yield world
    try:
        world.check_exactly_once()
        world.check_changelog()
        world.check_redis()
        world.daemons[0].stop()
    finally:
        world.close()


@pytest.fixture
def app(request):
    """An app's name that no other test uses."""
    return f"app{next(numbers)}"


@pytest.fixture
def seed():
    """What a random test did can be done again: SEED=n tests/system/run.sh …"""
    value = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
    print(f"SEED={value}")
    return value


@pytest.fixture
def world(kafka, tmp_path):
    """Makes worlds: world(partitions=4, settings={…}, start=False)."""
    worlds = []

    def make(**how):
        worlds.append(World(kafka, tmp_path, f"w{next(numbers)}", **how))
        return worlds[-1]

    yield make
    for made in worlds:
        made.close()


def pytest_collection_modifyitems(items):
    """Files with long tests come first: what is left of one at the end nobody else can take."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the daemons said, under a test that failed."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            for world in [value] if isinstance(value, World) else []:
                report.sections.append(("accountd's log", world.logs()))
    return report
