"""Real servers for the tests: a Kafka broker (KRaft, one node) and a redis-server, each on free ports."""

import base64
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import redis
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))
# Or valkey-server.
REDIS_SERVER = os.environ.get("REDIS_SERVER", "redis-server")

# No server outlives the tests, even when these are killed: the kernel ends it with its parent.
WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cluster_id() -> str:
    """A new one each time: accountd tells by it which workers on a host belong together."""
    # A first byte of 0 keeps it from beginning with a dash, which would look like an option.
    return base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")


def wait_for(what, condition, seconds=15.0, every=0.02):
    """Returns the first true value of condition(); fails with `what` when none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)


class Kafka:
    """A single-node broker. Small heap, quick group joins, and no topic that nobody made. The listener of the tests is in
    the clear; `protocols` names others that it has beside it, at localhost, and `more` is added to its settings."""

    def __init__(self, protocols=(), more=""):
        self.directory = Path(tempfile.mkdtemp(prefix="accountd-kafka-"))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        controller = free_port()
        self.addresses = {protocol: f"localhost:{free_port()}" for protocol in protocols}
        others = "".join(f",{protocol}://{address}" for protocol, address in self.addresses.items())
        self.config = self.directory / "server.properties"
        self.config.write_text(
            f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}{others}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
log.dirs={self.directory}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=8388608
log.message.timestamp.after.max.ms=9223372036854775807
{more}"""
        )
        self.log = open(self.directory / "broker.log", "wb")
        self._java("kafka.tools.StorageTool", "format", "-t", cluster_id(), "-c", str(self.config)).wait()
        self.admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        self.start()

    def start(self):
        self.process = self._java("kafka.Kafka", str(self.config))
        wait_for(lambda: f"the broker, see {self.log.name}", self._answers, seconds=60, every=0.2)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def _java(self, *arguments):
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        command += ["-cp", f"{ROOT}/build/kafka/libs/*", *arguments]
        return subprocess.Popen(WITH_PARENT + command, stdout=self.log, stderr=subprocess.STDOUT)

    def _answers(self):
        assert self.process.poll() is None, f"the broker ended: {Path(self.log.name).read_text()[-4000:]}"
        try:
            return self.admin.list_topics(timeout=1).brokers
        except Exception:
            return None

    def make_topic(self, name, partitions=1, **config):
        topic = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
        self.admin.create_topics([topic])[name].result(15)
        wait_for(
            f"topic {name}",
            lambda: len(self.admin.list_topics(name, timeout=5).topics[name].partitions) == partitions,
        )

    def grow_topic(self, name, partitions):
        self.admin.create_partitions([NewPartitions(name, partitions)])[name].result(15)
        wait_for(
            f"{partitions} partitions of {name}",
            lambda: len(self.admin.list_topics(name, timeout=5).topics[name].partitions) == partitions,
        )

    def close(self):
        self.kill()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class Redis:
    """A redis-server that keeps nothing on disk."""

    def __init__(self, directory, port=None, options=()):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.options = options
        self.process = None
        self.client = redis.Redis(host="127.0.0.1", port=self.port, decode_responses=True)
        self.start()

    def start(self):
        command = [REDIS_SERVER, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        with open(self.directory / "redis.log", "ab") as log:
            command += ["--dir", str(self.directory), "--unixsocket", str(self.directory / "sock"), *self.options]
            self.process = subprocess.Popen(WITH_PARENT + command, stdout=log, stderr=subprocess.STDOUT)
        wait_for(f"{REDIS_SERVER} on port {self.port}", self._answers)

    def _answers(self):
        try:
            return self.client.ping()
        except redis.ConnectionError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.client.close()
        self.kill()
