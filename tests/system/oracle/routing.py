"""A record's key and headers: where its reply goes, what the reply carries, and what is wrong with them."""

import re
from dataclasses import dataclass, field

from oracle.accounts import as_time, clamped
from oracle.match import Any, Optional
from oracle.rules import AFTER_ALL_ROWS, Fault

RETURNED = ("kafka_correlationId", "correlation_id", "traceparent", "tracestate")
RETURNED_MAX = 1024

# Attributes of a CloudEvent, and their names in a reply.
ATTRIBUTES = {
    "ce_id": "ce_causationid",
    "ce_correlationid": "ce_correlationid",
    "ce_traceparent": "ce_traceparent",
    "ce_tracestate": "ce_tracestate",
}


@dataclass
class Topics:
    """The daemon's topics, and how many partitions each topic of the broker has."""

    commands: str
    replies: str
    exports: str
    changelog: str
    dead_letters: str
    allowed: list = field(default_factory=list)  # kafka.reply_topics
    partitions: dict = field(default_factory=dict)

    def may_reply_to(self, name):
        if name == self.replies:
            return True
        if name.startswith("__") or name in (self.commands, self.exports, self.changelog, self.dead_letters):
            return False
        return any(
            re.fullmatch(rule[1:-1], name) is not None if rule.startswith("^") else rule == name
            for rule in self.allowed
        )


@dataclass
class Route:
    topic: str
    partition: int
    headers: list  # of (name, value); content-type, status and code are the model's to add
    faults: list


def last(headers, name):
    """(present, value): the last header of a name counts."""
    values = [value for key, value in headers if key == name]
    return (True, values[-1]) if values else (False, None)


def route(record, topics):
    headers, faults = [], []
    for position, name in enumerate(RETURNED):
        present, value = last(record.headers, name)
        if present and value is not None and len(value) > RETURNED_MAX:
            faults.append(Fault("invalid_field", name, (AFTER_ALL_ROWS + 2, position)))
        elif present:
            headers.append((name, value))
    headers += event(record, topics, faults)
    if record.key is not None and len(record.key) > RETURNED_MAX:
        faults.append(Fault("invalid_field", ("key", None), (AFTER_ALL_ROWS + 1,)))

    topic = wanted_topic(record, topics, faults)
    partition, as_digits = wanted_partition(record, topics, topic, faults)
    if any(fault.code == "reply_topic_forbidden" for fault in faults):
        topic, partition = topics.replies, None
        as_digits = Optional(Any(bytes)) if as_digits else None
    if as_digits:
        headers.append(("kafka_nest-is-disposed", as_digits))
    if partition is None:
        partition = record.partition % topics.partitions[topic]
    return Route(topic, partition, headers, faults)


def event(record, topics, faults):
    """What makes the reply to a CloudEvent one, too."""
    if last(record.headers, "ce_specversion")[1] != b"1.0":
        return []
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", b"accountd.reply"),
        ("ce_source", f"/accountd/{topics.commands}".encode()),
        ("ce_id", f"{record.topic}:{record.partition}:{record.offset}".encode()),
        ("ce_time", as_time(clamped(record.timestamp)).encode()),
    ]
    for position, (name, back) in enumerate(ATTRIBUTES.items()):
        value = last(record.headers, name)[1]
        if value and len(value) > RETURNED_MAX:
            faults.append(Fault("invalid_field", name, (AFTER_ALL_ROWS + 2, len(RETURNED) + position)))
        elif value:
            headers.append((back, value))
    return headers


def wanted_topic(record, topics, faults):
    for name in ("kafka_replyTopic", "reply_to"):
        present, value = last(record.headers, name)
        if not present:
            continue
        try:
            topic = value.decode()
        except (AttributeError, UnicodeDecodeError):
            topic = ""
        if topic in topics.partitions and topics.may_reply_to(topic):
            return topic
        faults.append(Fault("reply_topic_forbidden", name, (0,)))
        break
    return topics.replies


def wanted_partition(record, topics, topic, faults):
    """The partition, or None; and what the reply says of one that came as digits."""
    present, value = last(record.headers, "kafka_replyPartition")
    if not present:
        return None, None
    count = topics.partitions[topic]
    if value is not None and len(value) == 4 and 0 <= int.from_bytes(value, "big", signed=True) < count:
        return int.from_bytes(value, "big"), None
    if value is not None and re.fullmatch(rb"[0-9]{1,10}", value):
        if int(value) < count:
            return int(value), Any(bytes)
        faults.append(Fault("reply_topic_forbidden", "kafka_replyPartition", (1,)))
        return None, Any(bytes)
    faults.append(Fault("reply_topic_forbidden", "kafka_replyPartition", (1,)))
    return None, None
