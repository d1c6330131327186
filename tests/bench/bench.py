"""What the benchmarks have in common: servers set up for measuring, topics that are filled once, states of Redis."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from amounts import SHORT
from contender import CREATED, EDITED, PROGRAMS, Result, Run, cpu_seconds
from servers import ROOT, WITH_PARENT, Kafka, Redis, wait_for

# Members that start together join together; what a run wrote leaves the disk soon after.
BROKER = """group.initial.rebalance.delay.ms=500
log.segment.delete.delay.ms=1000
"""

class BenchKafka(Kafka):
    """The broker of the tests with more memory, and with their compiler: the slower one would be busy all through a run
    of this length, with half of the processor time that the broker takes, and get little back."""

    def start(self):
        if BROKER not in self.config.read_text():
            self.config.write_text(self.config.read_text() + BROKER)
        super().start()

    def _java(self, *arguments):
        command = ["java", "-Xmx1g", "-Xms1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                   "-cp", f"{ROOT}/build/kafka/libs/*", *arguments]
        return subprocess.Popen(WITH_PARENT + command, stdout=self.log, stderr=subprocess.STDOUT)

    def delete_topics(self, names):
        for answer in self.admin.delete_topics(list(names)).values():
            answer.result(30)


class BenchRedis(Redis):
    """Begins with the accounts of its directory's dump.rdb, if there is one. Notes calls of a millisecond and more."""

    def start(self):
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        command += ["--slowlog-log-slower-than", "1000", "--slowlog-max-len", "100000", "--dir", str(self.directory)]
        with open(self.directory / "redis.log", "ab") as log:
            self.process = subprocess.Popen(WITH_PARENT + command, stdout=log, stderr=subprocess.STDOUT)
        wait_for(f"redis-server on port {self.port}", self._answers, seconds=300, every=0.1)


class Bench:
    """The broker, the topics that were filled, the Redis states that were made; and a directory for it all."""

    def __init__(self, compression="none"):
        self.directory = Path(tempfile.mkdtemp(prefix="accountd-bench-"))
        self.compression = compression
        self.kafka = BenchKafka()
        self.filled = set()
        self.turn = 0
        self.redis = None

    def close(self):
        if self.redis:
            self.redis.close()
        self.kafka.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def fill(self, scenario, encoding, warm=False):
        """The topic with the scenario's commands, which is filled once."""
        topic = scenario.topic(encoding, warm)
        count = scenario.count(warm)
        if (topic, count) not in self.filled:
            self.kafka.make_topic(topic, scenario.partitions)
            command = [PROGRAMS / "fill", self.kafka.address, topic, scenario.mix, encoding]
            command += [str(scenario.accounts), str(count), self.compression]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            self.filled.add((topic, count))
            if not warm:
                print(f"{topic}: {count} commands of {float(said):.0f} bytes", flush=True)
        return topic

    def state(self, scenario):
        """A directory whose Redis begins with the accounts that the scenario edits."""
        directory = self.directory / f"redis-{0 if scenario.mix == 'create' else scenario.accounts}"
        if not directory.exists():
            server = BenchRedis(directory)
            if scenario.mix != "create":
                fill = subprocess.Popen([PROGRAMS / "fill", "resp", str(scenario.accounts)], stdout=subprocess.PIPE)
                pipe = ["redis-cli", "-p", str(server.port), "--pipe"]
                subprocess.run(pipe, stdin=fill.stdout, check=True, capture_output=True)
                assert fill.wait() == 0 and server.client.zcard("accounts:{demo}") == scenario.accounts
                # Which may take longer than the client's patience.
                subprocess.run(["redis-cli", "-p", str(server.port), "save"], check=True, capture_output=True)
            server.close()
        return directory

    def fresh_redis(self, scenario):
        if self.redis:
            self.redis.close()
        self.redis = BenchRedis(self.state(scenario))
        return self.redis

    def run(self, scenario, contender, warm=False):
        """One run from a fresh state: a new group reads the whole topic."""
        redis = self.fresh_redis(scenario)
        if contender == "redis-benchmark":
            return self._redis_benchmark(scenario, scenario.count(warm))
        self.turn += 1
        encoding = "msgpack" if contender == "accountd-msgpack" else "json"
        run = Run(self, scenario, contender, self.fill(scenario, encoding, warm), f"run{self.turn}")
        try:
            run.start()
            result = run.measure(scenario.count(warm))
            if not warm and not SHORT and result.share < 0.5:
                raise SystemExit(f"{contender} was too fast for {scenario.count(warm)} commands: ask for more with --commands")
            run.check(redis.client, scenario.count(warm))
        finally:
            run.stop()
        return result

    def _redis_benchmark(self, scenario, count):
        fields = CREATED if scenario.mix == "create" else EDITED
        count *= scenario.per_command
        command = ["redis-benchmark", "-p", str(self.redis.port), "-c", "2", "-P", "500", "-n", str(count), "--csv"]
        command += ["-r", str(count), "HSET", "acct:{demo}:__rand_int__", *fields]
        before = os.times()
        spent = cpu_seconds(self.redis.process)
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        own = sum(os.times()[2:4]) - sum(before[2:4])
        spent = cpu_seconds(self.redis.process) - spent
        rate = float(said.splitlines()[-1].split('","')[1].strip('"')) / scenario.per_command
        return Result(rate, [seconds * 1e6 * scenario.per_command / count for seconds in (own, spent, 0)])
