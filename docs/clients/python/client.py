"""A client of accountd in Python: asks and waits for the replies, and fetches the file of an export.

    python client.py BROKERS TOPICS APP FILE

TOPICS is what the topics' names begin with: "account" for account.commands, account.replies and account.exports.
Needs confluent-kafka (pip install confluent-kafka).
"""

import hashlib
import json
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

TIMEOUT_S = 20


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]


class Accounts:
    def __init__(self, brokers, topics):
        common = {"bootstrap.servers": brokers}
        self.commands = f"{topics}.commands"
        # The partitioner of Kafka's own clients: one account stays in one partition whoever sends.
        self.producer = Producer({**common, "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 1})
        # Others than committed readers may take the reply of an aborted transaction for the answer.
        self.reading = {**common, "group.id": "unused", "isolation.level": "read_committed", "enable.auto.commit": False}
        self.replies = self._at_end(f"{topics}.replies")
        self.exports = f"{topics}.exports"

    def close(self):
        self.replies.close()

    def ask(self, **command):
        """Sends a command and returns its reply; raises Refused on an error."""
        correlation = uuid.uuid4().bytes
        key = command.get("account")
        headers = {"kafka_correlationId": correlation}
        self.producer.produce(self.commands, json.dumps(command), key=key, headers=headers)
        self.producer.flush(TIMEOUT_S)
        for message in read(self.replies):
            if ("kafka_correlationId", correlation) in (message.headers() or []):
                break
        reply = json.loads(message.value())
        if reply["status"] == "error":
            raise Refused(reply["error"])
        return reply

    def export(self, **command):
        """Returns the manifest and the bytes of the file, whole and checked."""
        chunks = self._at_end(self.exports)
        try:
            manifest = self.ask(op="export", **command)["export"]
            parts = {}
            for message in read(chunks):
                headers = dict(message.headers() or [])
                if headers.get("export-source") != manifest["source"].encode() or "export-manifest" in headers:
                    continue
                # After a crash of accountd an export may come once more: the manifest names the attempt that counts.
                if int(headers["export-attempt"]) != manifest["attempt"]:
                    continue
                if hashlib.sha256(message.value()).hexdigest().encode() != headers["export-sha256"]:
                    raise ValueError(f"chunk {headers['export-seq']} is not as it was sent")
                parts[int(headers["export-seq"])] = message.value()
                if len(parts) == manifest["chunks"]:
                    break
        finally:
            chunks.close()
        content = b"".join(parts[number] for number in sorted(parts))
        if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
            raise ValueError("the file is not as it was sent")
        return manifest, content

    def _at_end(self, topic):
        """A consumer of all partitions that sees what comes from now on."""
        consumer = Consumer(self.reading)
        partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        ends = [TopicPartition(topic, number) for number in partitions]
        for end in ends:
            end.offset = consumer.get_watermark_offsets(end, timeout=TIMEOUT_S)[1]
        consumer.assign(ends)
        return consumer


def read(consumer):
    """The messages that come, until the caller has enough; TimeoutError when nothing more comes."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        yield message
    raise TimeoutError(f"no answer within {TIMEOUT_S} s")


def main(brokers, topics, app, file):
    accounts = Accounts(brokers, topics)
    try:
        created = accounts.ask(op="create", app=app, account="alice", profile={"nickname": "Alice", "level": 3})
        print(f"created alice, revision {created['revision']}")

        edited = accounts.ask(op="edit", app=app, account="alice", profile={"level": 4, "nickname": None}, if_revision=1)
        print(f"edited alice, revision {edited['revision']}")

        try:
            accounts.ask(op="edit", app=app, account="nobody", profile={"level": 4})
        except Refused as refused:
            print(f"refused, {refused.code}")

        names = [row["account"] for row in accounts.ask(op="list", app=app)["rows"]]
        manifest, content = accounts.export(app=app, accounts=names, format="ndjson")
        with open(file, "wb") as out:
            out.write(content)
        print(f"exported {manifest['accounts']} accounts in {manifest['chunks']} chunks")
    finally:
        accounts.close()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
