"""How fast a whole app is exported and imported by accountctl, and with how much memory: the export beside a bare sweep
of the same accounts in Redis, the import beside accountd's own rate for creates of 100 accounts that wait on the topic."""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from amounts import amount
from bench import BenchKafka, BenchRedis
from contender import PROGRAMS, status_mib
from confluent_kafka import Producer
from daemon import Daemon
from servers import BUILD, WITH_PARENT, wait_for

PARTITIONS = 4
BLOCK = 100  # accounts of one command, as import posts them
APP = "demo"
PEAK_EVERY = 0.01


def account(number):
    profile = {
        "nickname": f"Nick {number}",
        "avatar_url": f"https://example.com/photos/{number}.png",
        "gender": "female",
        "language": 1,
        "level": number % 100,
    }
    return {"account": f"user-{number:08d}", "profile": profile}


def write_file(path, count):
    with open(path, "w") as out:
        for number in range(count):
            out.write(json.dumps(account(number)) + "\n")


class Place:
    """A daemon with an empty Redis and topics of its own."""

    def __init__(self, kafka, directory, name):
        self.kafka = kafka
        self.directory = directory / name
        self.redis = BenchRedis(self.directory)
        roles = ("commands", "replies", "exports", "changelog", "dead_letters")
        self.topics = {role: f"{name}.{role}" for role in roles}
        for role, topic in self.topics.items():
            kafka.make_topic(topic, PARTITIONS, cleanup_policy="compact" if role == "changelog" else "delete")
        settings = {
            "kafka": {"brokers": kafka.address, "group": name, **self.topics},
            "redis": {"host": "127.0.0.1", "port": self.redis.port},
        }
        self.daemon = Daemon(self.directory, settings)

    def ctl(self, *arguments):
        return [str(BUILD / "accountctl"), "-c", str(self.daemon.config), "--app", APP, *map(str, arguments)]

    def accounts(self):
        return self.redis.client.zcard(f"accounts:{{{APP}}}")

    def fill(self, count):
        """The creates that the daemon finds when it starts."""
        producer = Producer({"bootstrap.servers": self.kafka.address, "linger.ms": 20, "partitioner": "murmur2_random"})
        for start in range(0, count, BLOCK):
            entries = [account(number) for number in range(start, min(start + BLOCK, count))]
            command = {"op": "create", "app": APP, "accounts": entries}
            producer.produce(self.topics["commands"], json.dumps(command), entries[0]["account"])
            producer.poll(0)
        assert producer.flush(120) == 0, "the broker does not take the commands"

    def close(self):
        if self.daemon.running():
            self.daemon.stop()
        self.redis.close()
        self.kafka.delete_topics(self.topics.values())
        shutil.rmtree(self.directory, ignore_errors=True)


def watch(command, *others):
    """Runs accountctl: the seconds it took, what it printed, its peak of memory and those of other processes, in MiB."""
    for other in others:
        Path(f"/proc/{other.pid}/clear_refs").write_text("5")  # VmHWM begins anew
    begin = time.monotonic()
    process = subprocess.Popen(WITH_PARENT + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        try:
            if Path(f"/proc/{process.pid}/comm").read_text().strip() == "accountctl":
                peak = max(peak, status_mib(process, "VmHWM"))
        except (AttributeError, OSError):
            pass  # it is gone, or a zombie without memory
        time.sleep(PEAK_EVERY)
    took = time.monotonic() - begin
    out, said = process.communicate()
    return process.returncode, took, out, said, [peak, *(status_mib(other, "VmHWM") for other in others)]


def whole(command, daemon):
    code, took, out, said, peaks = watch(command, daemon.process)
    if code != 0:
        raise SystemExit(f"{' '.join(command)}: exit status {code}\n{out}{said}\n{daemon.log()}")
    return took, out, peaks


def idle(place):
    """The memory of accountctl with a connection and of accountd after a command, in MiB."""
    watch(place.ctl("get", "nobody"))
    code, _, _, _, peaks = watch(place.ctl("get", "nobody"), place.daemon.process)
    assert code not in (0, 5), "nobody is there"
    return [peaks[0], status_mib(place.daemon.process, "VmRSS")]


def import_and_export(kafka, directory, file, count, turn):
    """Rates of import, export and sweep; how far memory went above idle."""
    place = Place(kafka, directory, f"bulk{turn}")
    try:
        place.daemon.start()
        before = idle(place)
        took, out, peaks = whole(place.ctl("import", file, "--json"), place.daemon)
        assert json.loads(out)["created"] == count == place.accounts(), out
        figures = {"import": count / took, "import_memory": [peak - base for peak, base in zip(peaks, before)]}
        place.daemon.stop()  # what its cache took is not the export's
        place.daemon.start()
        before = idle(place)
        exported = directory / "exported.ndjson"
        took, out, peaks = whole(place.ctl("export", "--all", "-o", exported), place.daemon)
        with open(exported, "rb") as lines:
            assert sum(1 for _ in lines) == count
        exported.unlink()
        figures |= {"export": count / took, "export_memory": [peak - base for peak, base in zip(peaks, before)]}
        said = subprocess.run([PROGRAMS / "sweep", str(place.redis.port), APP], check=True, capture_output=True, text=True)
        found, seconds = said.stdout.split()
        assert int(found) == count
        figures["sweep"] = count / float(seconds)
        figures["idle"] = before
        return figures
    finally:
        place.close()


def own_rate(kafka, directory, count, turn):
    """Accounts a second from the first ones that are seen to the last; start and join of the group are not in it."""
    place = Place(kafka, directory, f"own{turn}")
    try:
        place.fill(count)
        place.daemon.start(ready=False)
        first = wait_for(place.daemon.log, place.accounts, 60, 0.005)
        begin = time.monotonic()
        wait_for(place.daemon.log, lambda: place.accounts() == count, 600, 0.01)
        return (count - first) / (time.monotonic() - begin)
    finally:
        place.close()


ROWS = (("export", "sweep", "a bare sweep of Redis", 0.6), ("import", "own", "creates that wait", 0.8))


def table(runs, count):
    middle = {name: statistics.median(run[name] for run in runs) for name in ("export", "sweep", "import", "own")}
    print(f"\n{'':10}{'accounts/s':>11}{'lowest':>10}{'highest':>10}{'beside it':>11}{'ratio':>7}{'target':>8}")
    for name, beside, what, target in ROWS:
        rates = [run[name] for run in runs]
        ratio = middle[name] / middle[beside]
        print(f"{name:10}{middle[name]:11,.0f}{min(rates):10,.0f}{max(rates):10,.0f}{middle[beside]:11,.0f}{ratio:7.2f}{target:8.1f}  {what}")
    for name, beside, _, _ in ROWS:
        print(f"{name}_accounts_per_second: {middle[name]:.0f}")
        print(f"{name}_beside_{beside}_per_second: {middle[beside]:.0f}")
        print(f"{name}_to_{beside}: {middle[name] / middle[beside]:.2f}")
        for who, which in (("accountctl", 0), ("accountd", 1)):
            print(f"{name}_{who}_mib_above_idle: {max(run[f'{name}_memory'][which] for run in runs):.1f}")
    for who, which in (("accountctl", 0), ("accountd", 1)):
        print(f"idle_{who}_mib: {statistics.median(run['idle'][which] for run in runs):.1f}")
    print(f"accounts: {count}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accounts", type=int, default=amount(1_000_000, 20_000))
    options.add_argument("--rounds", type=int, default=amount(3, 1))
    options = options.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="accountd-bench-"))
    kafka = BenchKafka()
    try:
        file = directory / "accounts.ndjson"
        write_file(file, options.accounts)
        print(f"{options.accounts} accounts in {file.stat().st_size >> 20} MiB of ndjson, {PARTITIONS} partitions, {options.rounds} rounds", flush=True)
        runs = []
        for turn in range(options.rounds):
            run = import_and_export(kafka, directory, file, options.accounts, turn)
            run["own"] = own_rate(kafka, directory, options.accounts, turn)
            runs.append(run)
            said = ", ".join(f"{name} {run[name]:,.0f}" for name in ("export", "sweep", "import", "own"))
            print(f"round {turn + 1}: {said}", flush=True)
        table(runs, options.accounts)
    finally:
        kafka.close()
        shutil.rmtree(directory, ignore_errors=True)


main()
