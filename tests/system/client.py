"""A client of accountd written against the contract alone: posts commands, taps topics."""

import json
import threading
import time
from dataclasses import dataclass

import msgpack
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_CREATE_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from oracle import Record
from servers import wait_for


class Poster:
    def __init__(self, brokers, topic):
        self.topic = topic
        self.producer = Producer(
            {
                "bootstrap.servers": brokers,
                "log_level": 0,
                "enable.idempotence": True,
                "linger.ms": 1,
                "message.max.bytes": 10_000_000,
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def post(self, value, key=None, headers=(), partition=0, timestamp=None, encode="json"):
        """Sends one record, without waiting; the Record that comes back has its offset after flush()."""
        if isinstance(value, dict):
            value = msgpack.packb(value) if encode == "msgpack" else json.dumps(value).encode()
        timestamp = int(time.time() * 1000) if timestamp is None else timestamp
        record = Record(self.topic, partition, None, timestamp, key, value, list(headers))

        def delivered(error, message):
            if error is None:
                record.offset = message.offset()

        self.producer.produce(
            self.topic,
            value,
            key,
            partition,
            on_delivery=delivered,
            timestamp=timestamp,
            headers=record.headers or None,
        )
        return record

    def flush(self):
        assert self.producer.flush(30) == 0, "the broker does not take the commands"


@dataclass
class Message:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: object
    value: object
    headers: list

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"header {name} more than once: {self.headers}"
        return values[0] if values else None

    def body(self):
        if self.header("content-type") == b"application/json":
            return json.loads(self.value)
        return msgpack.unpackb(self.value, strict_map_key=True)

    def source(self):
        source = self.body()["source"]
        return source["topic"], source["partition"], source["offset"]


class Tap:
    """Everything that committed transactions write to some topics, from their beginning, read as it comes. With
    committed=False also what others have written or begun to."""

    def __init__(self, brokers, *topics, committed=True):
        self.messages = []
        self.lock = threading.Lock()
        common = {
            "bootstrap.servers": brokers,
            "log_level": 0,
            "group.id": "tap",
            "enable.auto.commit": False,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
        }
        reading = {"fetch.wait.max.ms": 20, "fetch.message.max.bytes": 10_000_000, "enable.partition.eof": True}
        self.consumer = Consumer({**common, **reading})
        # One that is asked for the ends while the other one's thread is reading: a client serves one at a time.
        self.surveyor = Consumer({**common, "isolation.level": "read_uncommitted"})
        self.positions = {}
        for topic in topics:
            for partition in self.consumer.list_topics(topic, timeout=10).topics[topic].partitions:
                self.positions[(topic, partition)] = 0
        self.consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self.positions])
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ended.is_set():
            batch = [self._taken(message) for message in self.consumer.consume(1000, timeout=0.02)]
            batch = [message for message in batch if message]
            with self.lock:
                self.messages += batch

    def _taken(self, message):
        place = (message.topic(), message.partition())
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(message.error())
            self.positions[place] = message.offset()
            return None
        kind, timestamp = message.timestamp()
        assert kind == TIMESTAMP_CREATE_TIME
        value, headers = message.value(), message.headers() or []
        return Message(*place, message.offset(), timestamp, message.key(), value, headers)

    def since(self, index=0):
        with self.lock:
            return self.messages[index:]

    def select(self, wanted):
        return [message for message in self.since() if wanted(message)]

    def wait(self, count, wanted=lambda message: True, seconds=15.0, what="messages"):
        """The messages that are wanted, once there are `count` of them or more."""

        def enough():
            found = self.select(wanted)
            return found if len(found) >= count else None

        def missing():
            found = self.select(wanted)
            return f"{count} {what}, got {len(found)}: {found[-3:]}"

        return wait_for(missing, enough, seconds)

    def drain(self, seconds=20.0):
        """Reads to the end of the log of now, so that what is not there yet did not happen yet. Records in a
        transaction are awaited to its end: a commit is answered before its markers are in the log."""
        ends = {place: self._end(*place, seconds) for place in self.positions}
        wait_for(
            lambda: f"the end {ends} of the topics, at {self.positions}",
            lambda: all(self.positions[place] >= end for place, end in ends.items()),
            seconds,
        )
        return self.since()

    def _end(self, topic, partition, seconds):
        def ask():
            try:
                return self.surveyor.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
            except KafkaException:  # of a topic that was made just now
                return None

        return wait_for(f"the end of {topic}", ask, seconds)[1]

    def close(self):
        self.ended.set()
        self.thread.join()
        self.consumer.close()
        self.surveyor.close()
