"""A burst, then constant load with churn, on a real Kafka and a real Redis. Every reply is held against the model, and
at the end memory, descriptors and latency must be flat.

    tests/soak/run.sh [--minutes N] [--rate N] [--seed N]

The accountd that is watched stays for the whole time. A second one comes and goes: every other minute, now with
SIGTERM, now with SIGKILL, so that partitions change hands.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from daemon import QUICK, Daemon  # noqa: E402
from oracle import Model  # noqa: E402
from oracle.routing import Topics  # noqa: E402
from servers import BUILD, Kafka, Redis, wait_for  # noqa: E402
from world import redis_differences  # noqa: E402

from samples import Samples  # noqa: E402
from traffic import Traffic  # noqa: E402

PARTITIONS = 4
ROLES = ("commands", "replies", "exports", "changelog", "dead_letters")

# Posted at once before the first sample, so that buffers have the size that a backlog gives them: what other work on
# the machine holds up later finds it there.
BURST = 20000

# How long the second process is away, and how long it stays.
AWAY_S, HERE_S = 75, 45

# Lines of the table that tells how it goes.
PARTS = 10

# A reply that takes longer does not come.
REPLY_S_MAX = 60


class Visitor:
    """The second accountd."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.here = False
        self.since = time.monotonic()
        self.visits = 0

    def turn(self):
        """Comes or goes if it is time."""
        if time.monotonic() < self.since + (HERE_S if self.here else AWAY_S):
            return
        if self.here:
            self.leave()
        else:
            self.daemon.start(ready=False)
            self.visits += 1
            self.here = True
        self.since = time.monotonic()

    def leave(self):
        self.here = False
        if self.visits % 2:
            self.daemon.stop()
        else:
            self.daemon.kill()


class Soak:
    def __init__(self, options):
        self.options = options
        self.directory = Path(tempfile.mkdtemp(prefix="accountd-soak-"))
        self.kafka = Kafka()
        self.redis = Redis(self.directory / "redis")
        self.topics = Topics(**{role: f"soak.{role}" for role in ROLES})
        for role in ROLES:
            config = {"cleanup_policy": "compact"} if role == "changelog" else {}
            self.kafka.make_topic(f"soak.{role}", PARTITIONS, **config)
            self.topics.partitions[f"soak.{role}"] = PARTITIONS
        self.model = Model(self.topics)
        self.watched = self._daemon("accountd-1").start()
        self.visitor = Visitor(self._daemon("accountd-2"))
        self.traffic = Traffic(self.kafka.address, self.topics, self.model, options.seed, PARTITIONS, options.rate)

    def _daemon(self, name):
        topics = {role: getattr(self.topics, role) for role in ROLES}
        settings = {
            "kafka": {"brokers": self.kafka.address, "group": "soak", **topics, "properties": QUICK},
            "redis": {"host": "127.0.0.1", "port": self.redis.port},
        }
        return Daemon(self.directory, settings, name)

    def run(self):
        self.traffic.start(BURST)
        self._wait_for_replies()
        self.traffic.go_on()
        seconds = 60 * self.options.minutes
        every = max(1.0, min(5.0, seconds / 120))
        samples = Samples(self.watched, self.redis.client, self.traffic)
        samples.print_head()
        for part in range(1, PARTS + 1):
            while time.monotonic() < samples.began + seconds * part / PARTS:
                time.sleep(every)
                self._look()
                self.visitor.turn()
                samples.take(self.visitor.here)
            samples.print_part()
        samples.write(BUILD / "soak.csv")
        self._end()
        return self._report(samples)

    def _wait_for_replies(self):
        """To all that was posted until now."""
        wanted = self.traffic.posted

        def done():
            self._look()
            return self.traffic.answered >= wanted

        wait_for(lambda: f"{wanted} replies, got {self.traffic.answered}", done, 2 * REPLY_S_MAX, every=0.1)

    def _look(self):
        if self.traffic.failure:
            raise self.traffic.failure
        for daemon in [self.watched] + [self.visitor.daemon] * self.visitor.here:
            assert daemon.running(), f"{daemon.name} ended:\n{daemon.log()}"
        oldest = self.traffic.oldest()
        assert oldest < REPLY_S_MAX, f"a command has waited for {oldest:.0f} s:\n{self._logs()}"

    def _end(self):
        """Every reply has come, and nothing more; both stop cleanly; Redis holds what the model holds."""
        self.traffic.stop_posting()
        self._wait_for_replies()
        assert self.traffic.answered == self.traffic.posted
        if self.visitor.here:
            self.visitor.here = False
            self.visitor.daemon.stop()
        self.watched.stop()
        self.traffic.read_to_the_end()
        self._look_at_redis()

    def _look_at_redis(self):
        for app in self.model.apps:
            found = redis_differences(self.redis.client, "", app, self.model.app(app))
            assert not found, "\n".join(found[:20])

    def _report(self, samples):
        samples.print_charts()
        growing = samples.print_verdict()
        codes = ", ".join(f"{count} {code}" for code, count in self.traffic.codes.most_common())
        print(f"\n{self.traffic.posted} commands, each answered once and as the model says: {codes}")
        accounts = sum(len(app.accounts) for app in self.model.apps.values())
        print(f"{accounts} accounts at the end, in Redis as in the model")
        print(f"{self.visitor.visits} visits of a second process")
        print(f"the client was late by {1000 * self.traffic.late_s:.0f} ms at most")
        return growing

    def _logs(self):
        return "\n".join(f"--- {daemon.name}\n{daemon.log()}" for daemon in (self.watched, self.visitor.daemon))

    def close(self):
        self.traffic.close()
        for daemon in (self.watched, self.visitor.daemon):
            if daemon.process:
                daemon.kill()
        self.redis.close()
        self.kafka.close()


def main():
    parser = argparse.ArgumentParser(description="constant load: do memory, descriptors and latency stay flat?")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=300, help="commands a second (default: 300)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.minutes:g} minutes, {options.rate:g} commands a second", flush=True)
    soak = Soak(options)
    try:
        growing = soak.run()
    except AssertionError as error:
        print(f"\n{error}\nsee {soak.directory}")
        return 1
    finally:
        soak.close()
    for what in growing:
        print(f"NOT FLAT: {what}")
    if not growing:
        print("flat")
        shutil.rmtree(soak.directory, ignore_errors=True)
    return 1 if growing else 0


if __name__ == "__main__":
    sys.exit(main())
