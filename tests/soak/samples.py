"""What is looked at every few seconds: the process from outside, Redis, and the client's latencies."""

import csv
import os
import time
from pathlib import Path

from flat import Growth, chart, quantile

TICKS_PER_S = os.sysconf("SC_CLK_TCK")

class Bound:
    """What a column is, and how much growth of it is too much: in percent of its median, or so many."""

    def __init__(self, what, unit="", percent=None, number=None, steps=False):
        self.what, self.unit, self.percent, self.number, self.steps = what, unit, percent, number, steps

    def judge(self, growth):
        """(what to print, whether it is too much)"""
        amount = growth.stepped if self.steps else growth.absolute
        grown = amount if self.number is not None else growth.percent(amount)
        unit = "" if self.number is not None else " %"
        most = self.percent if self.number is None else self.number
        allowed = "not judged" if most is None else f"at most {most:g}{unit}"
        return f"{grown:+.1f}{unit}", allowed, most is not None and grown > most


# A step is as bad as a slope in what the process keeps. Other work on the machine makes latencies longer for minutes,
# so that only their slope is judged, with room; and batches larger, which are cheap, so that the CPU is told only.
BOUNDS = {
    "rss_kb": Bound("resident memory", "KiB", percent=3, steps=True),
    "fds": Bound("open descriptors", number=1, steps=True),
    "threads": Bound("threads", number=0, steps=True),
    "redis_kb": Bound("memory of Redis", "KiB", percent=5, steps=True),
    "cpu_us": Bound("CPU per command", "µs"),
    "p50_ms": Bound("latency, median", "ms", percent=50),
    "p99_ms": Bound("latency, 99 %", "ms", percent=50),
}

TABLE = ["answered/s", "waiting", *BOUNDS, "redis_keys"]


class Samples:
    def __init__(self, daemon, redis, traffic):
        self.daemon, self.redis, self.traffic = daemon, redis, traffic
        self.rows = []
        self.printed = 0
        self.began = time.monotonic()
        self.seen_cpu_s = self._cpu_s()
        self.seen_commands = self._commands()

    def take(self, visitor):
        latencies = self.traffic.take_latencies()
        cpu_s, commands = self._cpu_s(), self._commands()
        status = self._status()
        row = {
            "seconds": round(time.monotonic() - self.began, 1),
            "answered": len(latencies),
            "waiting": self.traffic.posted - self.traffic.answered,
            "visitor": int(visitor),
            "rss_kb": status["VmRSS"],
            "threads": status["Threads"],
            "fds": len(os.listdir(f"/proc/{self.daemon.process.pid}/fd")),
            "redis_kb": self.redis.info("memory")["used_memory"] // 1024,
            "redis_keys": self.redis.dbsize(),
            "cpu_us": None,
            "p50_ms": None,
            "p99_ms": None,
        }
        if commands > self.seen_commands:
            row["cpu_us"] = round(1e6 * (cpu_s - self.seen_cpu_s) / (commands - self.seen_commands), 1)
        if latencies:
            row["p50_ms"] = round(1000 * quantile(latencies, 0.5), 2)
            row["p99_ms"] = round(1000 * quantile(latencies, 0.99), 2)
        self.seen_cpu_s, self.seen_commands = cpu_s, commands
        self.rows.append(row)

    def _status(self):
        lines = Path(f"/proc/{self.daemon.process.pid}/status").read_text().splitlines()
        fields = (line.partition(":") for line in lines)
        return {name: int(rest.split()[0]) for name, _, rest in fields if name in ("VmRSS", "Threads")}

    def _cpu_s(self):
        fields = Path(f"/proc/{self.daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def _commands(self):
        """What this process answered, which is not all while another one is there."""
        _, page = self.daemon.http("/metrics")
        return sum(int(line.split()[-1]) for line in page.splitlines() if line.startswith("accountd_commands_total"))

    def series(self, column):
        return [(row["seconds"], row[column]) for row in self.rows if row[column] is not None]

    def write(self, path):
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)

    def print_head(self):
        print(f"\n{'minutes':>9}" + "".join(f"{column:>12}" for column in TABLE), flush=True)

    def print_part(self):
        """What was sampled since the last line, in one line: the median of each column."""
        part = self.rows[self.printed :]
        began = self.rows[self.printed - 1]["seconds"] if self.printed else 0.0
        rate = sum(row["answered"] for row in part) / (part[-1]["seconds"] - began)
        cells = [f"{rate:.0f}"]
        for column in TABLE[1:]:
            values = [row[column] for row in part if row[column] is not None]
            cells.append(f"{quantile(values, 0.5):g}" if values else "-")
        self.printed = len(self.rows)
        print(f"{part[-1]['seconds'] / 60:>9.1f}" + "".join(f"{cell:>12}" for cell in cells), flush=True)

    def print_charts(self):
        print()
        for column, bound in BOUNDS.items():
            line, low, high = chart(self.series(column))
            print(f"{bound.what:>18} {line} {low:g}…{high:g} {bound.unit}")

    def print_verdict(self):
        """Returns what grows, in words."""
        print("\ngrowth over the last two thirds of the time")
        growing = []
        for column, bound in BOUNDS.items():
            growth = Growth(self.series(column))
            if not growth.judged:
                growing.append(f"{bound.what}: too few samples to tell")
                continue
            said, allowed, too_much = bound.judge(growth)
            print(f"{bound.what:>18}  {said:>9}  {allowed:<14} median {growth.median:g} {bound.unit}")
            if too_much:
                growing.append(f"{bound.what} grows: {said}")
        return growing
