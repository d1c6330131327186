#!/usr/bin/env python3
"""Posts one signed command. Needs the package confluent-kafka.

sign.py BROKERS TOPIC KEY_ID SECRET_FILE RECORD_KEY COMMAND
"""

import hashlib
import hmac
import struct
import sys
import time


def part(data):
    """The bytes after their length; null has a length of its own."""
    return b"\xff\xff\xff\xff" if data is None else struct.pack(">I", len(data)) + data


def signed(secret, key_id, topic, key, value, at_ms=None):
    """The three headers that a record of this topic, key and value needs."""
    at = str(int(time.time() * 1000) if at_ms is None else at_ms)
    parts = [b"accountd1", key_id.encode(), at.encode(), topic.encode(), key, value]
    signature = hmac.new(secret, b"".join(map(part, parts)), hashlib.sha256).hexdigest()
    return [("accountd-key-id", key_id), ("accountd-signed-at", at), ("accountd-signature", signature)]


def read_secret(path):
    """The first line of the file, as accountd reads it."""
    with open(path, "rb") as file:
        return file.readline().rstrip(b"\r\n")


def main(brokers, topic, key_id, secret_file, key, command):
    from confluent_kafka import Producer

    producer = Producer(
        {"bootstrap.servers": brokers, "enable.idempotence": True, "partitioner": "murmur2_random"}
    )
    key, value = key.encode(), command.encode()
    headers = signed(read_secret(secret_file), key_id, topic, key, value)
    producer.produce(topic, value, key, headers=headers)
    if producer.flush(30):
        raise SystemExit("the brokers did not take it within 30 s")


if __name__ == "__main__":
    if len(sys.argv) != 7:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
