"""Clients that people use, as they come: the programs of docs/clients, word for word.

Each creates, edits, is refused and fetches the file of an export, and prints so; what it has fetched, and what it has
left in Redis, is compared here.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from servers import ROOT, WITH_PARENT
from world import World

pytestmark = [pytest.mark.clients, pytest.mark.long]

EXAMPLES = ROOT / "docs" / "clients"
OWN_REPLIES = "spring.replies"

# With alice as many as a command may name; their records fill more than one chunk.
OTHERS = [f"other-{number}" for number in range(99)]
LARGE = {"custom": {chr(ord("a") + number): "x" * 500 for number in range(20)}}


def run(*command, seconds=120, **how):
    """Runs a command to its end and shows all that it said if that was not a good one."""
    done = subprocess.run(
        [*WITH_PARENT, *map(str, command)],
        timeout=seconds,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout[-8000:]}"
    return done.stdout


@contextmanager
def making(directory, *sources):
    """Yields true when what is made from the sources has to be made (again); one run at a time makes it."""
    directory.parent.mkdir(exist_ok=True)
    with open(directory.parent / f".{directory.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = [directory / source.name for source in sources]
        fresh = all(copy.exists() and copy.read_bytes() == source.read_bytes() for copy, source in zip(kept, sources))
        if not fresh:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        yield not fresh
        for source in sources:
            shutil.copy(source, directory)


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


@pytest.fixture(scope="module")
def spring():
    """The class path of the Spring client."""
    built = ROOT / "build" / "spring"
    pom, *sources = [EXAMPLES / "spring" / name for name in ("pom.xml", "SpringClient.java", "ExportReader.java")]
    with making(built, pom, *sources) as needed:
        if needed:
            maven = ["mvn", "--quiet", "--batch-mode", "-f", pom, "dependency:copy-dependencies"]
            run(*maven, "-DincludeScope=runtime", f"-DoutputDirectory={built}/libs", seconds=300)
            compiler = ["java", "-cp", f"{built}/libs/*", "org.eclipse.jdt.internal.compiler.batch.Main"]
            run(*compiler, "-17", "-nowarn", "-proc:none", "-d", built / "classes", *sources)
    return f"{built}/classes:{built}/libs/*"


@pytest.fixture(scope="module")
def nestjs():
    """The directory of the NestJS client and its packages."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node or npm is not installed")
    built = ROOT / "build" / "nestjs"
    sources = [EXAMPLES / "nestjs" / name for name in ("package.json", "package-lock.json", "client.js")]
    with making(built, *sources) as needed:
        if needed:
            for source in sources[:2]:
                shutil.copy(source, built)
            run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", seconds=300, cwd=built)
    return built


@pytest.fixture(scope="module")
def go():
    """The program that go makes of the Go client."""
    if not shutil.which("go"):
        pytest.skip("go is not installed")
    version = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout
    # From 1.21 on go fetches the release that go.mod asks for.
    if tuple(map(int, re.search(r"go(\d+)\.(\d+)", version).groups())) < (1, 21):
        pytest.skip(f"the client needs go 1.21 or later, not {version.strip()}")
    built = ROOT / "build" / "go"
    sources = [EXAMPLES / "go" / name for name in ("go.mod", "go.sum", "client.go")]
    with making(built, *sources) as needed:
        if needed:
            how = {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false"}
            run("go", "build", "-o", built / "client", ".", seconds=300, cwd=EXAMPLES / "go", env=how)
    return built / "client"


def test_python(show):
    show.check(run(sys.executable, EXAMPLES / "python" / "client.py", *show.arguments))
    assert show.more() == 0


def test_go(show, go):
    show.check(run(go, *show.arguments))
    assert show.more() == 0


def test_spring(show, spring):
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", quiet, "-cp", spring, "SpringClient"]
    said = run(*java, *show.arguments, OWN_REPLIES)
    show.check(said)
    assert said.count("ok ") == 7, said
    assert show.more() == 60


def test_nestjs(show, nestjs):
    show.check(run("node", nestjs / "client.js", *show.arguments))
    assert show.more() == 40
