"""What accountd needs when it has nothing to do, and how soon after its start it answers."""

import argparse
import json
import statistics
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from bench import Bench
from contender import Run, Scenario, cpu_seconds, status_mib

ROUNDS = 3


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


def reply_seconds(bench, run, topic):
    """From the start of the process until a reader has the reply to a command that was waiting."""
    replies = run.own_topics["replies"]
    reader = Consumer({"bootstrap.servers": bench.kafka.address, "group.id": "reader", "isolation.level": "read_committed"})
    reader.assign([TopicPartition(replies, number, 0) for number in range(run.scenario.partitions)])
    reader.poll(0.5)
    begin = time.monotonic()
    run.start()
    message = reader.poll(30)
    took = time.monotonic() - begin
    assert message is not None and message.error() is None, f"no reply: {run.daemons[0].log()}"
    reader.close()
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="of idling")
    options = parser.parse_args()
    scenario = Scenario("resources", "create", 0, 1)
    bench = Bench()
    producer = Producer({"bootstrap.servers": bench.kafka.address, "log_level": 0})
    joins, starts = [], []
    try:
        for turn in range(ROUNDS):
            topic = f"resources-{turn}"
            bench.kafka.make_topic(topic, scenario.partitions)
            bench.fresh_redis(scenario)
            producer.produce(topic, json.dumps({"op": "create", "app": "demo", "account": "first"}))
            producer.flush()
            joins.append(join_seconds(bench, topic, f"join{turn}"))
            run = Run(bench, scenario, "accountd-json", topic, f"resources{turn}")
            try:
                starts.append(reply_seconds(bench, run, topic))
                if turn == ROUNDS - 1:
                    idle(run.daemons[0].process, options.seconds)
            finally:
                run.stop()
        print(f"start_to_reply_ms: {statistics.median(starts) * 1000:.0f}")
        print(f"bare_group_join_ms: {statistics.median(joins) * 1000:.0f}")
        beyond = statistics.median(start - join for start, join in zip(starts, joins))
        print(f"start_to_reply_beyond_join_ms: {beyond * 1000:.0f}")
    finally:
        bench.close()


def idle(process, seconds):
    time.sleep(3)
    before = cpu_seconds(process)
    time.sleep(seconds)
    print(f"idle_cpu_percent: {(cpu_seconds(process) - before) / seconds * 100:.2f}")
    print(f"idle_rss_mib: {status_mib(process, 'VmRSS'):.0f}")


main()
