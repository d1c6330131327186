"""Everything that faults are done to: a broker, a pair of Redis servers, the relays before them, and two accountd."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import redis
from confluent_kafka.admin import AdminClient
from daemon import QUICK, Daemon
from servers import REDIS_SERVER, WITH_PARENT, Kafka, Redis, free_port, wait_for

from load import PATIENT
from relay import Relays

TOPICS = ("commands", "replies", "exports", "changelog", "dead_letters")
ADMINS_MAX = 10
DISK_BYTES = 96 << 20


class RelayedKafka(Kafka):
    """A broker that is reached directly by the client, and by accountd through a relay."""

    def __init__(self, relay):
        self.relay = relay
        self.relayed = free_port()
        self.extended = False
        super().__init__()
        self.admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0, **PATIENT})

    def start(self):
        if not self.extended:
            self.extended = True
            self.relay.point_at(self.relayed)
            text = self.config.read_text()
            listeners = re.search("^listeners=(.*)$", text, re.MULTILINE)[1]
            self.config.write_text(
                text + f"listeners={listeners},RELAYED://127.0.0.1:{self.relayed}\n"
                f"advertised.listeners=PLAINTEXT://{self.address},RELAYED://127.0.0.1:{self.relay.port}\n"
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,RELAYED:PLAINTEXT\n"
            )
        super().start()


class DurableRedis(Redis):
    """A redis-server with an append-only file that is synchronized every second."""

    def start(self):
        self.launch()
        wait_for(f"{REDIS_SERVER} on port {self.port}", self._answers_or_gave_up, seconds=30)
        if not self.running():
            self.mend_log()
            self.launch()
            wait_for(f"{REDIS_SERVER} on port {self.port}", self._answers, seconds=30)

    def _answers_or_gave_up(self):
        return not self.running() or self._answers()

    def mend_log(self):
        """What an operator does when a full disk left a broken append-only file: the rest of it is lost."""
        manifest = self.appendonly / "appendonly.aof.manifest"
        mended = subprocess.run(
            ["redis-check-aof", "--fix", str(manifest)], input="y\n", text=True, capture_output=True, check=False
        )
        assert mended.returncode == 0, mended.stdout + mended.stderr

    def launch(self):
        command = [REDIS_SERVER, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        command += ["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5"]
        command += ["--auto-aof-rewrite-min-size", str(DISK_BYTES // 6)]
        with open(self.directory.parent / f"{self.directory.name}.log", "ab") as log:
            self.process = subprocess.Popen(WITH_PARENT + command, stdout=log, stderr=subprocess.STDOUT)

    def running(self):
        return self.process.poll() is None

    @property
    def appendonly(self):
        return self.directory / "appendonlydir"

    def snapshot(self, path):
        self.client.save()
        shutil.copyfile(self.directory / "dump.rdb", path)

    def wipe(self):
        """Of a server that is not running: nothing is left."""
        shutil.rmtree(self.appendonly, ignore_errors=True)
        (self.directory / "dump.rdb").unlink(missing_ok=True)

    def put_in_place(self, snapshot):
        """Of a server that is not running: it will start with what was saved then."""
        self.wipe()
        self.appendonly.mkdir()
        shutil.copyfile(snapshot, self.appendonly / "appendonly.aof.1.base.rdb")
        manifest = self.appendonly / "appendonly.aof.manifest"
        base, increments = "appendonly.aof.1.base.rdb seq 1 type b", "appendonly.aof.1.incr.aof seq 1 type i"
        manifest.write_text(f"file {base}\nfile {increments}\n")
        (self.appendonly / "appendonly.aof.1.incr.aof").touch()

    def cut_tail(self, bytes_max, chance):
        """Of a server that is not running: the last of what it wrote did not reach the disk. What is cut in the
        middle, a command or a transaction, is left out when it starts. Returns how many bytes that are."""
        manifest = (self.appendonly / "appendonly.aof.manifest").read_text()
        names = re.findall(r"^file (\S+) seq \d+ type i", manifest, re.MULTILINE)
        path = self.appendonly / names[-1]
        lost = chance.randint(1, max(1, min(path.stat().st_size, bytes_max)))
        os.truncate(path, max(0, path.stat().st_size - lost))
        return lost

    def fill_disk(self):
        with open(self.directory / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(65536))

    def free_disk(self):
        (self.directory / "filler").unlink(missing_ok=True)


class Stage:
    def __init__(self, directory, partitions=4, replicas=2):
        self.directory = Path(directory)
        self.relays = Relays()
        self.kafka_relay = self.relays.add("kafka")
        self.redis_relay = self.relays.add("redis")
        self.kafka = RelayedKafka(self.kafka_relay)
        self.partitions = partitions
        self.topics = {role: f"chaos.{role}" for role in TOPICS}
        for role, name in self.topics.items():
            settings = {"changelog": {"cleanup_policy": "compact"}, "commands": {"max_message_bytes": "4000000"}}
            self.kafka.make_topic(name, partitions, **settings.get(role, {}))
        self.small_disks = self._mount("redis-a", "redis-b")
        self.pair = [DurableRedis(self.directory / name) for name in ("redis-a", "redis-b")]
        self.redis_relay.point_at(self.master.port)
        self.replica.client.replicaof("127.0.0.1", self.master.port)
        self.snapshots = []
        self.daemons = [self.new_daemon(f"accountd-{i + 1}") for i in range(replicas)]
        for daemon in self.daemons:
            daemon.start()

    @property
    def master(self):
        return self.pair[0]

    @property
    def replica(self):
        return self.pair[1]

    def _mount(self, *names):
        """A small disk for each Redis, if this process may mount in a namespace of its own; see run.sh."""
        for name in names:
            (self.directory / name).mkdir()
            if os.environ.get("OWN_MOUNTS") == "1":
                options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(self.directory / name)]
                subprocess.run(["mount", *options], check=True)
        return os.environ.get("OWN_MOUNTS") == "1"

    def new_daemon(self, name):
        settings = {
            "kafka": {
                "brokers": f"127.0.0.1:{self.kafka_relay.port}",
                "group": "chaos",
                **self.topics,
                "properties": [*QUICK, "topic.metadata.refresh.interval.ms=1000"],
            },
            "redis": {"host": "127.0.0.1", "port": self.redis_relay.port},
            "worker": {"threads": 2, "batch_max": 200},
            "limits": {"admins_per_app": ADMINS_MAX},
        }
        return Daemon(self.directory, settings, name)

    def exchange_roles(self):
        """The replica is the master from now on; whoever connects anew gets to it."""
        self.pair.reverse()
        self.master.client.replicaof("NO", "ONE")
        self.redis_relay.point_at(self.master.port)

    def replicate(self):
        """The replica, running and without orders to the contrary, follows the master."""
        if not self.replica.running():
            self.replica.start()
        self.replica.client.replicaof("127.0.0.1", self.master.port)

    def wait_replicated(self):
        def linked():
            try:
                return self.replica.client.info("replication").get("master_link_status") == "up"
            except redis.ConnectionError:
                return False

        wait_for("the replica's link to the master", linked, seconds=30)

    def take_snapshot(self):
        path = self.directory / f"snapshot-{len(self.snapshots)}.rdb"
        self.master.snapshot(path)
        self.snapshots.append(path)

    def died(self):
        """Processes that ended although nobody ended them."""
        return [daemon.name for daemon in self.daemons if not daemon.running()]

    def whole_log(self):
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.directory.glob("accountd-*.stderr")))

    def states(self):
        lines = [f"{daemon.name}: {daemon.http('/readyz')}" for daemon in self.daemons]
        for server in self.pair:
            try:
                info = server.client.info("replication")
                keys = server.client.dbsize()
                lines.append(f"redis {server.port}: {info['role']}, {keys} keys, {info.get('master_link_status')}")
            except redis.RedisError as error:
                lines.append(f"redis {server.port}: {error}")
        return "\n".join(lines)

    def close(self):
        for daemon in self.daemons:
            if daemon.process:
                daemon.kill()
        for server in self.pair:
            server.close()
            if self.small_disks:
                subprocess.run(["umount", str(server.directory)], check=True)
        self.kafka.close()
        self.relays.close()
