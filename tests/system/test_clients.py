"""Clients that people use, as they come: Spring's ReplyingKafkaTemplate and NestJS's ClientKafka."""

import fcntl
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers import ROOT, WITH_PARENT
from world import World

pytestmark = [pytest.mark.clients, pytest.mark.long]

HERE = Path(__file__).resolve().parent
OWN_REPLIES = "spring.replies"


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


@pytest.fixture(scope="module")
def spring():
    """The class path of the Spring client."""
    built = ROOT / "build" / "spring"
    pom, source = HERE / "spring" / "pom.xml", HERE / "spring" / "SpringClient.java"
    with making(built, pom, source) as needed:
        if needed:
            maven = ["mvn", "--quiet", "--batch-mode", "-f", pom, "dependency:copy-dependencies"]
            run(*maven, "-DincludeScope=runtime", f"-DoutputDirectory={built}/libs", seconds=300)
            compiler = ["java", "-cp", f"{built}/libs/*", "org.eclipse.jdt.internal.compiler.batch.Main"]
            run(*compiler, "-17", "-nowarn", "-proc:none", "-d", built / "classes", source)
    return f"{built}/classes:{built}/libs/*"


@pytest.fixture(scope="module")
def nest():
    """The directory of the NestJS client and its packages."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node or npm is not installed")
    built = ROOT / "build" / "nest"
    sources = [HERE / "nest" / name for name in ("package.json", "package-lock.json", "client.js")]
    with making(built, *sources) as needed:
        if needed:
            for source in sources[:2]:
                shutil.copy(source, built)
            run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", seconds=300, cwd=built)
    return built


def accounts_of(world, app):
    return world.redis.zcard(f"accounts:{{{app}}}")


def test_spring(clients_world, spring):
    topics = clients_world.settings["kafka"]
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", quiet, "-cp", spring, "SpringClient"]
    said = run(*java, topics["brokers"], topics["commands"], topics["replies"], OWN_REPLIES, "spring")
    print(said)
    assert said.count("ok ") == 6
    assert accounts_of(clients_world, "spring") == 60


def test_nest(clients_world, nest):
    topics = clients_world.settings["kafka"]
    run("node", nest / "client.js", topics["brokers"], topics["commands"], "nest")
    assert accounts_of(clients_world, "nest") == 40
