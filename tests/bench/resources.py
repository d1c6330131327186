"""What accountd needs when it has nothing to do, and how soon after its start it answers: after its first start of all,
which takes a new Redis into use, and after any later one."""

import argparse
import json
import statistics
import time

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

from amounts import amount
from bench import Bench
from contender import Run, Scenario, cpu_seconds, status_mib

ROUNDS = amount(5, 1)


def join_seconds(bench, topic, group):
    """How long a bare consumer takes from its making until it has partitions."""
    assigned = []
    begin = time.monotonic()
    consumer = Consumer({"bootstrap.servers": bench.kafka.address, "group.id": group})
    consumer.subscribe([topic], on_assign=lambda *_: assigned.append(time.monotonic()))
    while not assigned:
        consumer.poll(0.01)
    consumer.close()
    return assigned[0] - begin


def reply_seconds(bench, run, topic, start):
    """From the start of the process until a reader has the reply to a command that was waiting."""
    command = {"op": "create", "app": "demo", "account": f"account-{time.monotonic_ns()}"}
    producer = Producer({"bootstrap.servers": bench.kafka.address, "log_level": 0})
    producer.produce(topic, json.dumps(command))
    producer.flush()
    reader = Consumer({"bootstrap.servers": bench.kafka.address, "group.id": "reader", "isolation.level": "read_committed"})
    reader.assign([TopicPartition(run.own_topics["replies"], number, OFFSET_END) for number in range(run.scenario.partitions)])
    reader.poll(0.5)
    begin = time.monotonic()
    start()
    message = reader.poll(30)
    took = time.monotonic() - begin
    assert message is not None and message.error() is None, f"no reply: {run.daemons[0].log()}"
    reader.close()
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=amount(30, 2), help="of idling")
    options = parser.parse_args()
    scenario = Scenario("resources", "create", 0, 1)
    bench = Bench()
    joins, starts, firsts = [], [], []
    try:
        # The broker's first group takes longer.
        bench.kafka.make_topic("first")
        join_seconds(bench, "first", "first")
        for turn in range(ROUNDS):
            topic = f"resources-{turn}"
            bench.kafka.make_topic(topic, scenario.partitions)
            bench.fresh_redis(scenario)
            joins.append(join_seconds(bench, topic, f"join{turn}"))
            run = Run(bench, scenario, "accountd-json", topic, f"resources{turn}")
            try:
                firsts.append(reply_seconds(bench, run, topic, run.start))
                daemon = run.daemons[0]
                daemon.stop()
                starts.append(reply_seconds(bench, run, topic, lambda: daemon.start(ready=False)))
                run.processes = [daemon.process]
                if turn == ROUNDS - 1:
                    idle(daemon.process, options.seconds)
            finally:
                run.stop()
        print(f"bare_group_join_ms: {statistics.median(joins) * 1000:.0f}")
        for name, took in (("start", starts), ("first_start", firsts)):
            print(f"{name}_to_reply_ms: {statistics.median(took) * 1000:.0f}")
            print(f"{name}_to_reply_beyond_join_ms: {(statistics.median(took) - statistics.median(joins)) * 1000:.0f}")
    finally:
        bench.close()


def idle(process, seconds):
    time.sleep(3)
    before = cpu_seconds(process)
    time.sleep(seconds)
    print(f"idle_cpu_percent: {(cpu_seconds(process) - before) / seconds * 100:.2f}")
    print(f"idle_rss_mib: {status_mib(process, 'VmRSS'):.0f}")


main()
