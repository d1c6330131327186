"""Clients that people use, as they come: the programs of docs/clients, word for word.

Each creates, edits, is refused and fetches the file of an export, and prints so; what it has fetched, and what it has
left in Redis, is compared here.
"""

import json
import re
import sys

import pytest

from fetched import EXAMPLES, go_program, java_classes, node, node_packages, run
from world import World

# The time is that with what may have to be fetched.
pytestmark = [pytest.mark.clients, pytest.mark.long, pytest.mark.timeout(900)]

OWN_REPLIES = "spring.replies"

# With alice as many as a command may name; their records fill more than one chunk.
OTHERS = [f"other-{number}" for number in range(99)]
LARGE = {"custom": {chr(ord("a") + number): "x" * 500 for number in range(20)}}


@pytest.fixture(scope="module")
def clients_world(kafka, tmp_path_factory):
    settings = {"kafka": {"reply_topics": [OWN_REPLIES, "clients.commands.reply"]}}
    extra = [(OWN_REPLIES, 3), ("clients.commands.reply", 3)]
    made = World(kafka, tmp_path_factory.mktemp("clients"), "clients", 3, extra, settings)
    yield made
    made.close()


class Show:
    """What a client works on, and what has to come of it."""

    def __init__(self, world, app, file):
        self.world = world
        self.app = app
        self.file = file
        self.arguments = [world.settings["kafka"]["brokers"], world.name, app, file]
        record = world.post({"op": "create", "app": app, "accounts": OTHERS, "profile": LARGE})
        world.poster.flush()
        assert world.reply_to(record).body()["status"] == "ok"

    def check(self, said):
        lines = [line for line in said.splitlines() if re.match("created|edited|refused|exported", line)]
        assert lines == [
            "created alice, revision 1",
            "edited alice, revision 2",
            "refused, account_not_found",
            "exported 100 accounts in 2 chunks",
        ], said
        records = {record["account"]: record for record in map(json.loads, self.file.read_text().splitlines())}
        assert sorted(records) == sorted(["alice", *OTHERS])
        assert (records["alice"]["revision"], records["alice"]["profile"]) == (2, {"level": 4})
        assert all(records[name]["profile"] == LARGE for name in OTHERS)
        assert self.world.redis.hget(f"acct:{{{self.app}}}:alice", "level") == "4"

    def more(self):
        """Accounts that the client made beyond those that all of them make."""
        return self.world.redis.zcard(f"accounts:{{{self.app}}}") - len(OTHERS) - 1


@pytest.fixture
def show(clients_world, request, tmp_path):
    return Show(clients_world, request.node.name.removeprefix("test_"), tmp_path / "accounts.ndjson")


def test_python(show):
    show.check(run(sys.executable, EXAMPLES / "python" / "client.py", *show.arguments))
    assert show.more() == 0


def test_go(show):
    show.check(run(go_program("go", EXAMPLES / "go"), *show.arguments))
    assert show.more() == 0


def test_spring(show):
    spring = java_classes("spring", *sorted((EXAMPLES / "spring").glob("*.java")))
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", quiet, "-cp", spring, "SpringClient"]
    said = run(*java, *show.arguments, OWN_REPLIES)
    show.check(said)
    assert said.count("ok ") == 7, said
    assert show.more() == 60


def test_nestjs(show):
    show.check(run(node(), node_packages("nestjs", EXAMPLES / "nestjs") / "client.js", *show.arguments))
    assert show.more() == 40
