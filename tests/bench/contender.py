"""One run of one contender: started as a user would start it, watched from outside, and checked."""

import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition  # noqa: E402

from daemon import Daemon  # noqa: E402
from servers import BUILD, WITH_PARENT, wait_for  # noqa: E402

PROGRAMS = BUILD / "bench"
GO_WORKER = PROGRAMS / "go-worker"

STAMP = "1767323045006"
CREATED = ["type", "general", "rev", "1", "created_at", STAMP, "updated_at", STAMP, "nickname", "Nick 123456"]
CREATED += ["avatar_url", "https://example.com/photos/123456.png", "gender", "female", "language", "1", "level", "45"]
EDITED = ["rev", "12", "updated_at", STAMP, "nickname", "Nick 1234567", "location", "Bern 45"]
EDITED += ["signature", "gone fishing, back on day 1234567", "level", "45"]

# Of a reply to an edit.
REPLY_BYTES = 260

# How often the committed offsets are looked at.
LOOK_SECONDS = 0.02


@dataclass
class Scenario:
    """One row of figures: what is sent, and how accountd is set up."""

    name: str
    mix: str
    accounts: int
    commands: int
    threads: int = 2
    processes: int = 1
    partitions: int = 4
    worker: dict = field(default_factory=dict)  # accountd's other settings of that name
    reply_bytes: dict = field(default_factory=dict)  # by contender, as accountd's were

    def topic(self, encoding, warm):
        return f"{self.mix}-{self.accounts}-{self.partitions}.{encoding}{'.warm' if warm else ''}"

    def count(self, warm):
        return max(1000 if self.mix == "batch" else 20000, self.commands // 10) if warm else self.commands

    @property
    def per_command(self):
        return 100 if self.mix == "batch" else 1


@dataclass
class Result:
    rate: float  # commands a second
    cpu: list  # seconds of the contender, Redis and the broker for a million commands
    share: float = 1  # of the commands that came after the first commit that was seen
    peak_mib: float = 0
    commit_usec: float = 0  # of one call of the commit function
    longest_ms: float = 0  # the longest call of any kind in Redis
    over_10_ms: int = 0
    redis_usec: dict = field(default_factory=dict)  # for one command, by Redis command; fcall contains others


def cpu_seconds(process):
    return sum(map(int, Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) / 100


def status_mib(process, name):
    return int(re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text()).group(1)) / 1024


class Run:
    """One contender at work on a topic."""

    def __init__(self, bench, scenario, contender, topic, group):
        self.bench, self.scenario, self.contender, self.topic, self.group = bench, scenario, contender, topic, group
        self.processes, self.daemons = [], []
        self.own_topics = {role: f"{group}.{role}" for role in ("replies", "exports", "changelog", "dead_letters")}
        for role, name in self.own_topics.items():
            config = {"cleanup_policy": "compact"} if role == "changelog" else {}
            bench.kafka.make_topic(name, scenario.partitions, **config)
        # A stable offset is one without an open transaction, for which a busy group may let one wait long.
        asking = {"isolation.level": "read_uncommitted", "log_level": 0}
        self.offsets = Consumer({"bootstrap.servers": bench.kafka.address, "group.id": group, **asking})

    def start(self):
        for number in range(self.scenario.processes):
            if self.contender.startswith("accountd"):
                self._start_accountd(number)
            else:
                command = WITH_PARENT + [str(part) for part in self._command()]
                self.processes.append(subprocess.Popen(command))

    def _start_accountd(self, number):
        settings = {
            "kafka": {
                "brokers": self.bench.kafka.address,
                "group": self.group,
                "commands": self.topic,
                **self.own_topics,
            },
            "redis": {"port": self.bench.redis.port},
            "worker": {"threads": self.scenario.threads, **self.scenario.worker},
        }
        daemon = Daemon(self.bench.directory, settings, f"{self.group}-{number}")
        self.daemons.append(daemon.start(ready=False))
        self.processes.append(daemon.process)

    def _command(self):
        mix = self.scenario.mix
        common = [self.bench.kafka.address, self.group, self.topic, self.own_topics["replies"]]
        common += [self.bench.redis.port, self.scenario.threads]
        if self.contender == "go":
            return [GO_WORKER, *common]
        if self.contender == "echo":
            return [PROGRAMS / "echo", *common[:4], self.scenario.threads, REPLY_BYTES]
        size = self.scenario.reply_bytes.get("accountd-json", REPLY_BYTES)
        fields = [] if self.contender == "consume" else CREATED if mix == "create" else EDITED
        return [PROGRAMS / "floor", *common, size, int(mix == "create"), *fields]

    def committed(self):
        partitions = [TopicPartition(self.topic, number) for number in range(self.scenario.partitions)]
        try:
            return sum(max(0, item.offset) for item in self.offsets.committed(partitions, timeout=10))
        except KafkaException as error:
            # Just after the start of a broker, which still loads its groups.
            if not error.args[0].retriable() and error.args[0].code() != KafkaError.NOT_COORDINATOR:
                raise
            return 0

    def _meters(self):
        own = sum(cpu_seconds(process) for process in self.processes)
        return [own, cpu_seconds(self.bench.redis.process), cpu_seconds(self.bench.kafka.process)]

    def _until(self, count, seconds=600):
        """Waits until so many commands are committed; when that was seen, and how many they were."""
        deadline = time.monotonic() + seconds
        while (done := self.committed()) < count:
            if any(process.poll() is not None for process in self.processes):
                raise SystemExit(f"{self.contender} ended early\n{self._logs()}")
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.contender}: {done} of {count} commands after {seconds} s\n{self._logs()}")
            time.sleep(LOOK_SECONDS)
        return time.monotonic(), done

    def _logs(self):
        return "\n".join(daemon.log() for daemon in self.daemons)

    def measure(self, count):
        """From the first commit that is seen, which is not counted, to the last command's commit."""
        begin, skipped = self._until(1)
        before = self._meters()
        end, done = self._until(count)
        counted = max(1, done - skipped)
        spent = [(after - start) * 1e6 / counted for after, start in zip(self._meters(), before)]
        result = Result(counted / (end - begin or LOOK_SECONDS), spent, counted / count)
        result.peak_mib = max(status_mib(process, "VmHWM") for process in self.processes)
        self._redis_calls(result, count)
        return result

    def _redis_calls(self, result, count):
        client = self.bench.redis.client
        stats = client.info("commandstats")
        # Loading the functions is done once.
        slow = [call["duration"] for call in client.slowlog_get(100000) if not str(call["command"]).startswith(("b'FUNC", "FUNC"))]
        result.commit_usec = stats.get("cmdstat_fcall", {}).get("usec_per_call", 0)
        for name, stat in stats.items():
            result.redis_usec[name.removeprefix("cmdstat_")] = stat["usec"] / count
        result.longest_ms = max(slow, default=0) / 1000
        result.over_10_ms = sum(duration >= 10000 for duration in slow)

    def check(self, redis, count):
        """Figures of a worker that refuses its commands would be worth nothing."""
        if self.contender == "consume":
            return
        if self.scenario.mix == "create":
            wanted = set(CREATED[::2])
            # The floor commits offsets before the last of its writes is answered.
            said = lambda: f"{self.contender}: {redis.zcard('accounts:{demo}')} accounts in the index, not {count}"  # noqa: E731
            wait_for(said, lambda: redis.zcard("accounts:{demo}") == count)
        else:
            wanted = set(CREATED[::2]) | set(EDITED[::2])
        key = "acct:{demo}:user-" + self._edited_account()
        assert set(redis.hkeys(key)) == wanted, f"{self.contender}: {key} has {redis.hgetall(key)}"
        if self.daemons:
            page = "".join(daemon.http("/metrics")[1] for daemon in self.daemons)
            done = sum(map(int, re.findall(r'accountd_commands_total\{[^}]*code="ok"\} (\d+)', page)))
            assert done == count, f"{done} of {count} commands were answered with ok"
        if self.contender not in self.scenario.reply_bytes:
            self.scenario.reply_bytes[self.contender] = self._reply_bytes()

    def _first_message(self, topic):
        reader = Consumer({"bootstrap.servers": self.bench.kafka.address, "group.id": "first"})
        reader.assign([TopicPartition(topic, 0, 0)])
        message = reader.poll(15)
        reader.close()
        assert message is not None and message.error() is None, f"no message in {topic}"
        return message

    def _edited_account(self):
        key = self._first_message(self.topic).key().decode()
        number = int(key.split("-")[1])
        return f"{number * 100 if key.startswith('block') else number:08d}"

    def _reply_bytes(self):
        """A reply and its headers; its key is the command's, which all send."""
        message = self._first_message(self.own_topics["replies"])
        return len(message.value()) + sum(len(name) + len(value) + 2 for name, value in message.headers() or [])

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.offsets.close()
        self.bench.kafka.delete_topics(self.own_topics.values())
