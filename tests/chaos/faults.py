"""What is done to the servers, the processes and the network between them. Each fault returns at the moment when it is
over: from then on the clock runs. What must be put back into order after that is done by `settle` before the next."""

import signal
import time
from dataclasses import dataclass

from confluent_kafka import Consumer
from confluent_kafka.admin import NewPartitions
from daemon import QUICK

KINDS = {}

PARTITIONS_MAX = 8


@dataclass
class Kind:
    name: str
    apply: object
    short: bool  # part of the short form
    loses: bool  # Redis forgets something that was answered
    needs_small_disk: bool


def fault(name, short=False, loses=False, needs_small_disk=False):
    def add(apply):
        KINDS[name] = Kind(name, apply, short, loses, needs_small_disk)
        return apply

    return add


def settle(stage):
    """A master and a replica that has what the master has."""
    stage.replicate()
    stage.wait_replicated()


def some_time(chance, least, most):
    time.sleep(chance.uniform(least, most))


# ---- accountd


@fault("accountd-kill", short=True)
def accountd_kill(stage, chance):
    victim = chance.choice(stage.daemons)
    victim.kill()
    some_time(chance, 0, 3)
    victim.start(ready=False)


@fault("accountd-kill-for-long")
def accountd_kill_for_long(stage, chance):
    """Longer than the broker keeps a dead process' transaction open."""
    victim = chance.choice(stage.daemons)
    victim.kill()
    some_time(chance, 10, 22)
    victim.start(ready=False)


@fault("accountd-kill-all", short=True)
def accountd_kill_all(stage, chance):
    for victim in stage.daemons:
        victim.kill()
    some_time(chance, 0, 2)
    for victim in stage.daemons:
        victim.start(ready=False)


@fault("accountd-sleeps-long", short=True)
def accountd_sleeps_long(stage, chance):
    """Longer than session.timeout.ms: the others get its partitions."""
    victim = chance.choice(stage.daemons)
    victim.send(signal.SIGSTOP)
    some_time(chance, 2, 5)
    victim.send(signal.SIGCONT)


@fault("accountd-sleeps-shortly")
def accountd_sleeps_shortly(stage, chance):
    for victim in chance.choices(stage.daemons, k=4):
        victim.send(signal.SIGSTOP)
        some_time(chance, 0.05, 1.4)
        victim.send(signal.SIGCONT)
        some_time(chance, 0, 0.3)


@fault("accountd-all-sleep")
def accountd_all_sleep(stage, chance):
    for victim in stage.daemons:
        victim.send(signal.SIGSTOP)
    some_time(chance, 1, 4)
    for victim in stage.daemons:
        victim.send(signal.SIGCONT)
        some_time(chance, 0, 0.5)


@fault("accountd-restart")
def accountd_restart(stage, chance):
    """As an upgrade does it: one after the other, politely."""
    for daemon in stage.daemons:
        daemon.stop()
        daemon.start(ready=False)
        some_time(chance, 0, 2)


# ---- The group


@fault("rebalance-storm", short=True)
def rebalance_storm(stage, chance):
    """Members come and go, so that the partitions move all the time; one of them is an accountd. When it is killed it
    comes back, as its transaction would stay open until the broker ends it (see accountd-kill-for-long)."""
    settings = dict(setting.split("=") for setting in QUICK)
    settings |= {"bootstrap.servers": stage.kafka.address, "group.id": "chaos", "log_level": 0}
    settings |= {"partition.assignment.strategy": "range", "enable.auto.commit": False}
    extra = stage.new_daemon("accountd-extra")
    extra.start(ready=False)
    for _ in range(chance.randint(3, 6)):
        member = Consumer(settings)
        member.subscribe([stage.topics["commands"]])
        member.poll(chance.uniform(0.1, 1))
        member.close()
        some_time(chance, 0, 0.3)
        if chance.random() < 0.3:
            extra.kill()
            extra.start(ready=False)
    extra.wait_ready()
    extra.stop()


@fault("partitions-added", short=True)
def partitions_added(stage, chance):
    """The commands get one more; the changelog is accountd's to extend. A few times in a run."""
    if stage.partitions == PARTITIONS_MAX:
        return
    stage.partitions += 1
    grown = [NewPartitions(stage.topics["commands"], stage.partitions)]
    for future in stage.kafka.admin.create_partitions(grown).values():
        future.result(15)


# ---- Redis: nothing is lost


@fault("redis-kill", short=True)
def redis_kill(stage, chance):
    stage.master.kill()
    some_time(chance, 0, 2)
    stage.master.start()


@fault("redis-sleep", short=True)
def redis_sleep(stage, chance):
    stage.master.client.execute_command("DEBUG", "SLEEP", str(chance.uniform(0.5, 4)))


@fault("redis-clients-killed", short=True)
def redis_clients_killed(stage, chance):
    for _ in range(chance.randint(3, 12)):
        stage.master.client.client_kill_filter(_type="normal", skipme=True)
        some_time(chance, 0, 0.2)


@fault("redis-out-of-memory", short=True)
def redis_out_of_memory(stage, chance):
    stage.master.client.config_set("maxmemory", "1")
    some_time(chance, 0.5, 4)
    stage.master.client.config_set("maxmemory", "0")


@fault("redis-without-replicas")
def redis_without_replicas(stage, chance):
    stage.master.client.config_set("min-replicas-to-write", "3")
    some_time(chance, 0.5, 4)
    stage.master.client.config_set("min-replicas-to-write", "0")


@fault("redis-read-only", short=True)
def redis_read_only(stage, chance):
    """The master is told to follow a server that is not there, and then to be a master again."""
    stage.master.client.replicaof("127.0.0.1", 1)
    some_time(chance, 0.2, 3)
    stage.master.client.replicaof("NO", "ONE")


@fault("redis-disk-full", short=True, needs_small_disk=True)
def redis_disk_full(stage, chance):
    stage.master.fill_disk()
    some_time(chance, 2, 5)
    stage.master.free_disk()


@fault("redis-unreachable")
def redis_unreachable(stage, chance):
    stage.redis_relay.hold()
    some_time(chance, 0.5, 5)
    if chance.random() < 0.5:
        stage.redis_relay.cut()
    stage.redis_relay.calm()


@fault("redis-refuses")
def redis_refuses(stage, chance):
    stage.redis_relay.refuse()
    stage.redis_relay.cut()
    some_time(chance, 0.2, 4)
    stage.redis_relay.calm()


@fault("redis-slow")
def redis_slow(stage, chance):
    stage.redis_relay.slow(chance.uniform(0.01, 0.2))
    some_time(chance, 1, 4)
    stage.redis_relay.calm()


@fault("redis-resets", short=True)
def redis_resets(stage, chance):
    stage.redis_relay.reset_at_random(0.1)
    some_time(chance, 1, 4)
    stage.redis_relay.calm()


@fault("redis-failover", short=True)
def redis_failover(stage, chance):
    """To a replica that has everything. The old master lives, and connections to it linger for a moment."""
    stage.exchange_roles()
    some_time(chance, 0, 1)
    stage.redis_relay.cut()


# ---- Redis: what was answered is lost


@fault("redis-failover-to-lagging-replica", short=True, loses=True)
def redis_failover_to_lagging_replica(stage, chance):
    stage.replica.client.replicaof("127.0.0.1", 1)
    some_time(chance, 0.3, 2)
    if chance.random() < 0.5:
        stage.master.kill()
    stage.exchange_roles()
    some_time(chance, 0, 1)
    stage.redis_relay.cut()


@fault("redis-flushed", short=True, loses=True)
def redis_flushed(stage, chance):
    stage.master.client.flushall()


@fault("redis-tail-lost", short=True, loses=True)
def redis_tail_lost(stage, chance):
    """A machine that died: what was written since the last fsync, and a bit more, never reached the disk."""
    stage.master.kill()
    stage.master.cut_tail(chance.choice([1000, 30000, 1000000]), chance)
    stage.master.start()


@fault("redis-rolled-back", short=True, loses=True)
def redis_rolled_back(stage, chance):
    """An RDB that was saved a while ago is put in place."""
    stage.master.kill()
    stage.master.put_in_place(chance.choice(stage.snapshots))
    stage.master.start()


@fault("redis-replaced", loses=True)
def redis_replaced(stage, chance):
    """By a brand-new one."""
    stage.master.kill()
    stage.master.wipe()
    stage.master.start()


@fault("redis-disk-full-then-killed", loses=True, needs_small_disk=True)
def redis_disk_full_then_killed(stage, chance):
    """Its last writes are in its memory only when it dies."""
    stage.master.fill_disk()
    some_time(chance, 0.5, 3)
    stage.master.kill()
    stage.master.free_disk()
    stage.master.start()


# ---- A recovery that does not get through undisturbed


@fault("recovery-flushed-again", loses=True)
def recovery_flushed_again(stage, chance):
    for _ in range(chance.randint(2, 5)):
        stage.master.client.flushall()
        some_time(chance, 0, 1.5)


@fault("recovery-and-accountd-killed", loses=True)
def recovery_and_accountd_killed(stage, chance):
    stage.master.client.flushall()
    for _ in range(chance.randint(1, 3)):
        some_time(chance, 0, 1.5)
        victim = chance.choice(stage.daemons)
        victim.kill()
        victim.start(ready=False)


@fault("recovery-and-accountd-sleeps", loses=True)
def recovery_and_accountd_sleeps(stage, chance):
    """A worker that restores falls asleep for longer than its lease, and wakes up when another one has done it."""
    stage.master.client.flushall()
    some_time(chance, 0.8, 2)
    victim = chance.choice(stage.daemons)
    victim.send(signal.SIGSTOP)
    some_time(chance, 5, 7)
    victim.send(signal.SIGCONT)


@fault("recovery-and-redis-resets", loses=True)
def recovery_and_redis_resets(stage, chance):
    stage.redis_relay.reset_at_random(0.3)
    stage.master.client.flushall()
    some_time(chance, 2, 4)
    stage.redis_relay.calm()


@fault("recovery-into-a-full-redis", loses=True)
def recovery_into_a_full_redis(stage, chance):
    """It is at its limit: one call is refused, and the next, sent before the answer came, is not."""
    stage.master.client.flushall()
    over = time.monotonic() + chance.uniform(2, 4)
    while time.monotonic() < over:
        stage.master.client.config_set("maxmemory", "1")
        some_time(chance, 0, 0.02)
        stage.master.client.config_set("maxmemory", "0")
        some_time(chance, 0, 0.02)


@fault("recovery-and-failover", loses=True)
def recovery_and_failover(stage, chance):
    stage.replica.client.replicaof("127.0.0.1", 1)
    stage.master.client.flushall()
    some_time(chance, 0.5, 2.5)
    stage.exchange_roles()
    some_time(chance, 0, 1)
    stage.redis_relay.cut()


@fault("recovery-and-broker-killed", loses=True)
def recovery_and_broker_killed(stage, chance):
    stage.master.client.flushall()
    some_time(chance, 0, 2)
    stage.kafka.kill()
    stage.kafka.start()


# ---- The broker


@fault("broker-kill", short=True)
def broker_kill(stage, chance):
    stage.kafka.kill()
    some_time(chance, 0, 2)
    stage.kafka.start()


@fault("broker-sleeps")
def broker_sleeps(stage, chance):
    stage.kafka.process.send_signal(signal.SIGSTOP)
    some_time(chance, 0.5, 5)
    stage.kafka.process.send_signal(signal.SIGCONT)


@fault("broker-unreachable", short=True)
def broker_unreachable(stage, chance):
    stage.kafka_relay.hold()
    some_time(chance, 1, 6)
    if chance.random() < 0.5:
        stage.kafka_relay.cut()
    stage.kafka_relay.calm()


@fault("broker-refuses")
def broker_refuses(stage, chance):
    stage.kafka_relay.refuse()
    stage.kafka_relay.cut()
    some_time(chance, 0.5, 5)
    stage.kafka_relay.calm()


@fault("broker-slow")
def broker_slow(stage, chance):
    stage.kafka_relay.slow(chance.uniform(0.02, 0.3))
    some_time(chance, 1, 5)
    stage.kafka_relay.calm()


@fault("broker-resets", short=True)
def broker_resets(stage, chance):
    stage.kafka_relay.reset_at_random(0.5)
    some_time(chance, 1, 4)
    stage.kafka_relay.calm()


def schedule(chance, count, short, small_disks):
    """Every kind comes before one comes again."""
    deck = [kind for kind in KINDS.values() if kind.short or not short]
    deck = [kind for kind in deck if small_disks or not kind.needs_small_disk]
    chosen = []
    while len(chosen) < count:
        chosen += chance.sample(deck, len(deck))
    return chosen[:count]


