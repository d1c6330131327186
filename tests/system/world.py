"""One daemon (or several) with a Redis and topics of its own, the clients, and the model beside it."""

import json
import time

from client import Poster, Tap
from daemon import QUICK, Daemon
from oracle import Model, differences
from oracle.routing import Topics
from servers import Redis, wait_for


# Keys of the changelog that stand for an open export of a whole app.
EXPORT_KEY = b"accountd:export/"

# Limits that no reply depends on: the model has nothing of them.
UNSEEN = {"chunk_bytes", "exports"}


class Exchange:
    """A command that was posted, what the model expects, and what came."""

    def __init__(self, record, expected, message):
        self.record = record
        self.expected = expected
        self.message = message
        self.reply = message.body()

    @property
    def code(self):
        return self.reply.get("error", {}).get("code")

    @property
    def field(self):
        return self.reply.get("error", {}).get("field")


class World:
    def __init__(self, kafka, directory, name, partitions=2, extra_topics=(), settings=None, start=True):
        self.kafka = kafka
        self.directory = directory
        names = {role: f"{name}.{role}" for role in ("commands", "replies", "exports", "changelog", "dead_letters")}
        self.name = name
        self.partitions = partitions
        kafka.make_topic(names["commands"], partitions, max_message_bytes="4000000")
        kafka.make_topic(names["replies"], partitions)
        kafka.make_topic(names["exports"], partitions)
        kafka.make_topic(names["changelog"], partitions, cleanup_policy="compact")
        kafka.make_topic(names["dead_letters"], partitions)
        counts = {topic: partitions for topic in names.values()}
        for topic, count in extra_topics:
            kafka.make_topic(topic, count)
            counts[topic] = count
        self.settings = self._settings(names, settings or {})
        self.topics = Topics(**names, allowed=self.settings["kafka"]["reply_topics"], partitions=counts)
        limits = {name: value for name, value in self.settings.get("limits", {}).items() if name not in UNSEEN}
        self.model = Model(self.topics, self.settings.get("apps", []), **limits)
        self.redis_server = Redis(directory / "redis")
        self.redis = self.redis_server.client
        self.settings["redis"]["port"] = self.redis_server.port
        self.daemons = []
        self.poster = Poster(kafka.address, names["commands"])
        self.by_source = {}
        self.reply_taps = []
        self.watch_replies(names["replies"], *(topic for topic, _ in extra_topics))
        self.changelog = Tap(kafka.address, names["changelog"])
        self.dead_letters = Tap(kafka.address, names["dead_letters"])
        self.exports = Tap(kafka.address, names["exports"])
        self.listening = True
        self.posted = []
        self.changes = []  # what the model expects on the changelog: (partition, key, value)
        if start:
            self.daemon()

    def _settings(self, names, changes):
        settings = {
            "kafka": {
                "brokers": self.kafka.address,
                "group": self.name,
                **names,
                "reply_topics": [],
                "properties": QUICK,
            },
            "redis": {"host": "127.0.0.1"},
        }
        for group, content in changes.items():
            merged = {**settings.get(group, {}), **content} if isinstance(content, dict) else content
            settings[group] = merged
        return settings

    def daemon(self, start=True, **changes):
        settings = {**self.settings}
        for group, content in changes.items():
            settings[group] = {**settings.get(group, {}), **content}
        daemon = Daemon(self.directory, settings, f"accountd-{len(self.daemons) + 1}")
        self.daemons.append(daemon)
        return daemon.start() if start else daemon

    def post(self, value, **how):
        record = self.poster.post(value, **how)
        self.posted.append(record)
        return record

    def watch_replies(self, *topics):
        self.reply_taps.append([Tap(self.kafka.address, *topics), 0])

    def messages_of(self, record):
        """All replies to a record that came so far."""
        for place in self.reply_taps:
            tap, seen = place
            fresh = tap.since(seen)
            place[1] += len(fresh)
            for message in fresh:
                self.by_source.setdefault(message.source(), []).append(message)
        return self.by_source.get((record.topic, record.partition, record.offset), [])

    def reply_to(self, record, seconds=15.0):
        def what():
            logs = "\n".join(daemon.log() for daemon in self.daemons)
            return f"a reply to offset {record.offset} of partition {record.partition}: {record.value!r:.200}\n{logs}"

        return wait_for(what, lambda: self.messages_of(record), seconds, every=0.002)[0]

    def send(self, *commands, **how):
        """Posts commands, each a value or (value, how); waits for the replies; compares all with the model."""
        records = []
        for command in commands:
            value, own = command if isinstance(command, tuple) else (command, {})
            records.append(self.post(value, **{**how, **own}))
        self.poster.flush()
        return [self.check(record) for record in records]

    def ask(self, command, **how):
        return self.send(command, **how)[0]

    def check(self, record, seconds=15.0):
        message = self.reply_to(record, seconds)
        expected = self.model.apply(record)
        self.changes += [(record.partition, key, value) for key, value in expected.changes]
        exchange = Exchange(record, expected, message)
        found = differences(expected.reply, exchange.reply, "reply")
        place = (expected.topic, expected.partition)
        found += differences(place, (message.topic, message.partition), "topic and partition")
        found += differences(expected.key, message.key, "key")
        found += header_differences(expected.headers, message.headers)
        assert not found, self._explain(record, found, exchange.reply)
        return exchange

    @staticmethod
    def _explain(record, found, reply):
        value = repr(record.value)
        value = value if len(value) < 1500 else value[:1500] + "…"
        headers = f"\nheaders: {record.headers}" if record.headers else ""
        return "\n".join(["reply differs:", *found, f"command: {value}{headers}", f"reply: {reply!r:.1500}"])

    def check_redis(self, *apps):
        """What the contract lets readers of Redis see, no more and no less, equals the model's."""
        prefix = self.settings["redis"].get("key_prefix", "")
        for name in apps or self.model.apps:
            found = redis_differences(self.redis, prefix, name, self.model.app(name))
            assert not found, "\n".join(found[:20])

    def check_changelog(self):
        """Exactly the expected changes, each in its command's partition and in order."""
        self.changelog.drain()
        self.check_no_open_exports()
        for partition in range(self.partitions):
            wanted = [(key, value) for where, key, value in self.changes if where == partition]
            came = [
                (message.key.decode(), json.loads(message.value))
                for message in self.changelog.since()
                if message.partition == partition and not message.key.startswith(EXPORT_KEY)
            ]
            found = differences(wanted, came, f"changelog {partition}")
            assert not found, "\n".join(found[:20])

    def check_no_open_exports(self):
        """The last record of each export of a whole app says that it has ended, in the changelog and in Redis."""
        last = {}
        for message in self.changelog.since():
            if message.key.startswith(EXPORT_KEY):
                last[message.partition, message.key] = message.value
        assert not any(last.values()), f"open exports: {[key for key, value in last.items() if value]}"
        assert self.redis.keys("*accountd:exports:*") == []

    def check_exactly_once(self):
        """One reply for each message that was posted, and none for anything else."""
        for tap, _ in self.reply_taps:
            tap.drain()
        wanted = {(record.topic, record.partition, record.offset): record for record in self.posted}
        for record in self.posted:
            messages = self.messages_of(record)
            assert len(messages) == 1, f"{len(messages)} replies to {record}: {messages}"
        strange = set(self.by_source) - set(wanted)
        assert not strange, f"replies to what was never posted: {sorted(strange)[:10]}"

    def timed(self, command, **how):
        """Seconds until the reply, and the exchange."""
        start = time.monotonic()
        exchange = self.ask(command, **how)
        return time.monotonic() - start, exchange

    def logs(self):
        return "\n".join(f"--- {daemon.name}\n{daemon.log()}" for daemon in self.daemons)

    def close(self):
        for daemon in self.daemons:
            if daemon.process:
                daemon.kill()
        self.stop_listening()
        self.redis_server.close()

    def stop_listening(self):
        """What comes on the topics is no longer kept: of millions of accounts it would be gigabytes."""
        replies = [tap for tap, _ in self.reply_taps]
        for tap in (*replies, self.changelog, self.dead_letters, self.exports) if self.listening else ():
            tap.close()
        self.listening = False


def header_differences(expected, actual):
    """The same names with the same values, in any order, and no others."""
    names = [name for name, _ in actual]
    twice = [f"header {name}: more than once" for name in set(names) if names.count(name) > 1]
    return twice + differences(dict(expected), dict(actual), "headers")


def redis_differences(client, prefix, name, app):
    """Hashes, index and admin set of an app, against the model's."""
    found = []
    stored = set(client.scan_iter(f"{prefix}acct:{{{name}}}:*", count=1000))
    wanted = {f"{prefix}acct:{{{name}}}:{account}" for account in app.accounts}
    found += [f"redis: {key} is missing" for key in sorted(wanted - stored)]
    found += [f"redis: {key} should not be there" for key in sorted(stored - wanted)]
    for account, content in app.accounts.items():
        key = f"{prefix}acct:{{{name}}}:{account}"
        found += differences(content.hash(), client.hgetall(key), f"redis {key}")
    index = dict(client.zrange(f"{prefix}accounts:{{{name}}}", 0, -1, withscores=True))
    scores = {account: float(content.created_ms) for account, content in app.accounts.items()}
    found += differences(scores, index, f"redis {prefix}accounts:{{{name}}}")
    admins = client.smembers(f"{prefix}admins:{{{name}}}")
    found += differences(sorted(app.admins()), sorted(admins), f"redis {prefix}admins:{{{name}}}")
    return found
