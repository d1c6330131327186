"""A client that posts mixed commands at a steady rate, and holds every reply against the model as it comes. Nothing
is kept of what was answered, so that the client can go on for as long as accountd."""

import collections
import sys
import threading
import time

from client import Message, Poster
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_CREATE_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from generator import Load
from oracle import differences
from servers import wait_for

# The client's threads share one interpreter: a reply's arrival must not wait long for the checking of others.
sys.setswitchinterval(0.0005)

# Names that accounts come and go under, in each partition.
ACCOUNTS = 500

TICK = 0.01


class Traffic:
    def __init__(self, brokers, topics, model, seed, partitions, rate):
        self.load = Load(seed, partitions, ACCOUNTS)
        self.model = model
        self.rate = rate
        self.partitions = partitions
        self.poster = Poster(brokers, topics.commands)
        # One idempotent producer fills the topic, so that a partition's offsets are known before the broker tells.
        self.offsets = [0] * partitions
        self.waiting = [collections.deque() for _ in range(partitions)]  # (record, when it was posted)
        self.posted = 0
        self.answered = 0
        self.late_s = 0.0
        self.latencies = []
        self.codes = collections.Counter()
        self.failure = None
        self.arrived = collections.deque()
        self.more = threading.Semaphore(0)
        self.lock = threading.Lock()  # so that no reply comes between a command's way out and its place in line
        self.ended = threading.Event()
        self.quiet = threading.Event()
        self.positions = [0] * partitions
        self.common = {"bootstrap.servers": brokers, "log_level": 0, "group.id": "soak", "enable.auto.commit": False}
        reading = {"isolation.level": "read_committed", "fetch.wait.max.ms": 10, "enable.partition.eof": True}
        self.consumer = Consumer({**self.common, **reading})
        self.consumer.assign([TopicPartition(topics.replies, i, OFFSET_BEGINNING) for i in range(partitions)])
        works = (self._post, self._read, self._check)
        self.threads = [threading.Thread(target=self._safely, args=[work], daemon=True) for work in works]

    def start(self, burst):
        """Posts so many commands at once; go_on() posts at the rate."""
        for _ in range(burst):
            self._post_one()
        for thread in self.threads[1:]:
            thread.start()

    def go_on(self):
        self.latencies.clear()
        self.threads[0].start()

    def _safely(self, work):
        try:
            work()
        except Exception as error:
            self.failure = self.failure or error

    def _post(self):
        due = time.monotonic()
        while not self.quiet.wait(TICK):
            self.late_s = max(self.late_s, time.monotonic() - due - TICK)
            while due < time.monotonic():
                self._post_one()
                due += 1 / self.rate
            self.poster.producer.poll(0)

    def _post_one(self):
        partition = self.load.random.randrange(self.partitions)
        with self.lock:
            record = self.poster.post(self.load.value(partition), partition=partition, **self.load.extras())
            record.offset = self.offsets[partition]
            self.waiting[partition].append((record, time.monotonic()))
        self.offsets[partition] += 1
        self.posted += 1

    def _read(self):
        while not self.ended.is_set():
            messages = self.consumer.consume(1000, timeout=0.05)
            now = time.monotonic()
            for message in messages:
                if not message.error():
                    self.arrived.append((message, now))
                    self.more.release()
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    self.positions[message.partition()] = message.offset()
                else:
                    raise KafkaException(message.error())

    def _check(self):
        while not self.ended.is_set():
            if self.more.acquire(timeout=0.1):
                self._check_one(*self.arrived.popleft())

    def _check_one(self, message, now):
        """A partition's replies come in the order of its commands: the next one answers the oldest that waits.
        So one that is missing, or comes twice, is seen at once."""
        kind, timestamp = message.timestamp()
        assert kind == TIMESTAMP_CREATE_TIME
        partition = message.partition()
        reply = Message(
            message.topic(), partition, message.offset(), timestamp, message.key(), message.value(), message.headers()
        )
        with self.lock:
            assert self.waiting[partition], f"a reply to nothing: {reply}"
            record, posted = self.waiting[partition].popleft()
        assert reply.source() == (record.topic, partition, record.offset), f"not the reply to {record}: {reply}"
        expected = self.model.apply(record)
        body = reply.body()
        found = differences(expected.reply, body, "reply")
        assert not found, "\n".join([f"the reply to {record} differs:", *found, f"{body}"])
        self.latencies.append(now - posted)
        self.codes[body.get("error", {}).get("code", body["status"])] += 1
        self.answered += 1

    def take_latencies(self):
        """Those of the replies since the last call, in seconds."""
        taken, self.latencies = self.latencies, []
        return taken

    def oldest(self):
        """For how many seconds the command that has waited longest has been waiting."""
        with self.lock:
            first = [line[0][1] for line in self.waiting if line]
        return time.monotonic() - min(first) if first else 0.0

    def read_to_the_end(self):
        """Of a topic that nobody writes to any more: a reply that comes twice has come then."""
        surveyor = Consumer(self.common)
        places = [TopicPartition(self.model.topics.replies, i) for i in range(self.partitions)]
        ends = [surveyor.get_watermark_offsets(place, timeout=10)[1] for place in places]
        surveyor.close()
        wait_for(lambda: f"the end {ends} of the replies, at {self.positions}", lambda: self._read_to(ends), 30)
        wait_for("all replies checked", lambda: not self.arrived or self.failure)
        self._join()
        if self.failure:
            raise self.failure

    def _read_to(self, ends):
        return self.failure or all(position >= end for position, end in zip(self.positions, ends))

    def stop_posting(self):
        self.quiet.set()
        self.threads[0].join()
        self.poster.flush()

    def _join(self):
        self.ended.set()
        for thread in self.threads[1:]:
            if thread.is_alive():
                thread.join()

    def close(self):
        self.quiet.set()
        self._join()
        self.consumer.close()
