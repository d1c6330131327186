"""Faults under load, one after the other, on a real Kafka and a real Redis; then the check of everything that was said.

    tests/chaos/run.sh [--seed N] [--faults N] [--only KIND]… [--rate N] [--short]
"""

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from servers import wait_for  # noqa: E402

import evidence  # noqa: E402
import faults  # noqa: E402
import load  # noqa: E402
import verdict  # noqa: E402
from stage import ADMINS_MAX, Stage  # noqa: E402

RESUMED_MAX = 10.0
GIVEN_UP_AFTER = 60.0
SNAPSHOT_EVERY = 7


class Run:
    def __init__(self, options):
        self.options = options
        self.chance = random.Random(options.seed)
        self.directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.stage = Stage(self.directory)
        self.resumed = collections.defaultdict(list)  # kind: seconds until commands were answered again
        self.problems = []
        self.load = None
        self.watch = None
        self.reader = None

    def play(self):
        brokers, topics = self.stage.kafka.address, self.stage.topics
        self.watch = load.Watch(brokers, topics["replies"], self.stage.partitions)
        self.load = load.Load(
            brokers, topics["commands"], self.options.seed, self.stage.partitions, self.options.rate, self.watch
        )
        self.load.start()
        self.reader = load.Reader(lambda: self.stage.master)
        self.stage.wait_replicated()
        time.sleep(2)
        self.stage.take_snapshot()
        for number, kind in enumerate(self.schedule(), 1):
            if number % SNAPSHOT_EVERY == 0:
                self.stage.take_snapshot()
            self.one(number, kind)
        self.load.stop()
        try:
            wait_for(self.unanswered, lambda: self.load.unanswered() == 0, 60)
        except AssertionError as late:
            # Which ones, and why, is for the judge to say.
            self.problems.append(f"{late}\n{self.load.poster.failed} commands were not taken by the broker")
        for daemon in self.stage.daemons:
            daemon.wait_ready()
            daemon.stop()

    def schedule(self):
        if self.options.only:
            return [faults.KINDS[name] for name in self.options.only] * self.options.faults
        return faults.schedule(self.chance, self.options.faults, self.options.short, self.stage.small_disks)

    def one(self, number, kind):
        faults.settle(self.stage)
        time.sleep(self.chance.uniform(0.3, 1.2))
        began = time.monotonic()
        kind.apply(self.stage, self.chance)
        if self.load.partitions < self.stage.partitions:
            wait_for("the new partition", lambda: self.load.poster.knows(self.stage.partitions))
            self.load.partitions = self.stage.partitions
        over = time.monotonic()
        probes = self.watch.probe(self.load)
        answered = wait_for(
            lambda: f"an answer after {kind.name}\n{self.stage.states()}",
            lambda: self.watch.answered(probes),
            GIVEN_UP_AFTER,
        )
        seconds = answered - over
        self.resumed[kind.name].append(seconds)
        took = f"{over - began:5.1f} s, then answers after {seconds:5.2f} s; {self.load.unanswered()} open"
        print(f"{time.strftime('%H:%M:%S')} {number:3} {kind.name:36} {took}", flush=True)
        if seconds > RESUMED_MAX:
            self.problems.append(f"fault {number}, {kind.name}: answers only after {seconds:.1f} s")
        for name in self.stage.died():
            raise AssertionError(f"{name} ended by itself after {kind.name}")
        assert self.load.failure is None, self.load.failure

    def unanswered(self):
        return f"{self.load.posted} replies, got {self.watch.seen}\n{self.stage.states()}"

    def judge(self):
        found = evidence.collect(self.stage)
        result = verdict.judge(found, ADMINS_MAX)
        if self.load.poster.failed == 0 and len(found.commands) != self.load.posted:
            result.lost.append(f"{self.load.posted} commands were posted, the topic has {len(found.commands)}")
        print(result.figures())
        print(f"at most {self.reader.most_admins} admins of an app in Redis, {self.reader.looks} looks")
        if self.reader.most_admins > ADMINS_MAX:
            result.wrong.append(f"Redis had {self.reader.most_admins} admins of one app")
        for line in result.complaints(20):
            self.problems.append(line)

    def figures(self):
        times = sorted(seconds for kind in self.resumed.values() for seconds in kind)
        print(f"{len(times)} faults of {len(self.resumed)} kinds:")
        for name, seconds in sorted(self.resumed.items()):
            print(f"  {name:36} {len(seconds):4}   {self.spread(sorted(seconds))}")
        if times:
            print(f"answers after {self.spread(times)}")
        print(f"load average {os.getloadavg()[1]:.1f} on {os.cpu_count()} processors")
        log = self.stage.whole_log()
        print(f"Redis made whole {log.count('Redis is whole again')} times")

    @staticmethod
    def spread(times):
        p50, p95 = times[len(times) // 2], times[len(times) * 95 // 100]
        return f"p50 {p50:5.2f} s, p95 {p95:5.2f} s, max {times[-1]:5.2f} s"

    def close(self):
        if self.load:
            self.load.ended.set()
        for part in (self.watch, self.reader):
            if part:
                part.close()
        self.stage.close()


def options():
    parser = argparse.ArgumentParser(description="Faults under load, then the check of everything that was said.")
    parser.add_argument("--seed", type=int, help="of the schedule and the commands (default: a new one)")
    parser.add_argument("--faults", type=int, default=200, help="how many; with --only: how often each (200)")
    parser.add_argument("--only", action="append", metavar="KIND", choices=sorted(faults.KINDS), help="may be repeated")
    parser.add_argument("--rate", type=int, default=400, help="commands a second (400)")
    parser.add_argument("--short", action="store_true", help="choose from the kinds of the short form")
    chosen = parser.parse_args()
    if chosen.seed is None:
        chosen.seed = random.SystemRandom().randrange(2**32)
    return chosen


def main():
    chosen = options()
    print(f"seed {chosen.seed}, {chosen.rate} commands/s", flush=True)
    began = time.monotonic()
    run = Run(chosen)
    try:
        run.play()
        run.judge()
    except AssertionError as failure:
        run.problems.append(str(failure))
    finally:
        run.figures()
        run.close()
    print(f"{time.monotonic() - began:.0f} s")
    if not run.problems:
        shutil.rmtree(run.directory, ignore_errors=True)
        return 0
    print(f"FAILED, seed {chosen.seed}; logs in {run.directory}")
    print("\n".join(run.problems))
    return 1


if __name__ == "__main__":
    sys.exit(main())
