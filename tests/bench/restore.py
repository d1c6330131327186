"""How fast a Redis is restored from the changelog, beside the floor: redis-cli --pipe with the same hashes and index
entries, ready made. Both in each round, on the same servers."""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from amounts import amount  # noqa: E402
from confluent_kafka import Producer  # noqa: E402

from servers import Kafka, wait_for  # noqa: E402
from world import World  # noqa: E402

PARTITIONS = 4
STAMP = "2026-01-02T03:04:05.006Z"
STAMP_MS = 1767323045006


def profile(number):
    return {
        "nickname": f"Nick {number}",
        "avatar_url": f"https://example.com/{number}.png",
        "gender": "female",
        "birthday": "2000-01-01",
        "language": 1,
        "level": number % 100,
    }


def record(name, number):
    fields = ",".join(f'"{key}":"{value}"' if isinstance(value, str) else f'"{key}":{value}' for key, value in profile(number).items())
    return (
        f'{{"app":"demo","account":"{name}","type":"general","revision":1,"created_at":"{STAMP}","updated_at":"{STAMP}",'
        f'"profile":{{{fields},"custom":{{"Team":"red"}}}}}}'
    )


def resp(*words):
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def commands(name, number):
    fields = [word for pair in profile(number).items() for word in pair]
    own = ["type", "general", "rev", 1, "created_at", STAMP_MS, "updated_at", STAMP_MS]
    key = f"acct:{{demo}}:{name}"
    return resp("HSET", key, *own, *fields, "custom.Team", "red") + resp("ZADD", "accounts:{demo}", STAMP_MS, name)


def fill(world, count, ready_made):
    """The changelog as the daemon would have written it, and the floor's commands."""
    producer = Producer({"bootstrap.servers": world.kafka.address, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000})
    with open(ready_made, "wb") as out:
        for number in range(count):
            name = f"user-{number:08d}"
            producer.produce(world.topics.changelog, record(name, number), f"demo/{name}", number % PARTITIONS)
            out.write(commands(name, number))
            if number % 20000 == 0:
                producer.poll(0)
    assert producer.flush(120) == 0, "the broker does not take the changelog"


def cpu_seconds(process):
    return sum(map(int, Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) / 100


def floor(world, count, ready_made):
    world.redis.flushall()
    begin = time.monotonic()
    with open(ready_made, "rb") as commands_in:
        subprocess.run(["redis-cli", "-p", str(world.redis_server.port), "--pipe"], stdin=commands_in, check=True, capture_output=True)
    rate = count / (time.monotonic() - begin)
    assert world.redis.zcard("accounts:{demo}") == count
    return rate


def restore(world, lose):
    """Accounts a second, and the CPU seconds of accountd, Redis and the broker."""
    daemon = world.daemons[0]
    daemon.start()
    processes = [daemon.process, world.redis_server.process, world.kafka.process]
    before = [cpu_seconds(process) for process in processes]
    said = daemon.told("whole again")
    lose()
    wait_for(world.logs, lambda: daemon.told("whole again") > said, 600, 0.05)
    spent = [cpu_seconds(process) - begin for process, begin in zip(processes, before)]
    took, accounts = re.findall(r"after (\d+) ms: (\d+) accounts restored", daemon.log())[-1]
    peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{daemon.process.pid}/status").read_text()).group(1)
    daemon.stop()
    return int(accounts) / int(took) * 1000, spent, int(peak) // 1024


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accounts", type=int, default=amount(1_000_000, 20_000))
    options.add_argument("--rounds", type=int, default=amount(3, 1))
    options = options.parse_args()
    kafka = Kafka()
    directory = Path(tempfile.mkdtemp(prefix="accountd-bench-"))
    world = World(kafka, directory, "bench", partitions=PARTITIONS)
    ready_made = directory / "commands.resp"
    try:
        for partition in range(PARTITIONS):
            world.send({"op": "create", "app": "demo", "account": f"first{partition}"}, partition=partition)
        world.daemons[0].stop()
        fill(world, options.accounts, ready_made)
        floors, empties, tails = [], [], []
        print(f"{options.accounts} accounts with 11 fields, {PARTITIONS} partitions, {options.rounds} rounds")
        for turn in range(options.rounds):
            floors.append(floor(world, options.accounts, ready_made))
            empties.append(restore(world, world.redis.flushall))
            tails.append(restore(world, lambda: world.redis.delete("accountd:incarnation", "accountd:marker:0")))
            print(f"round {turn + 1}: floor {floors[-1]:.0f}/s, empty Redis {empties[-1][0]:.0f}/s, only a marker lost {tails[-1][0]:.0f}/s", flush=True)
        limit = statistics.median(floors)
        print(f"restore_floor_per_second: {limit:.0f}")
        for name, runs in (("restore_empty", empties), ("restore_nothing_differs", tails)):
            rate = statistics.median(run[0] for run in runs)
            spent = [statistics.median(run[1][n] for run in runs) * 1e6 / options.accounts for n in range(3)]
            print(f"{name}_per_second: {rate:.0f}")
            print(f"{name}_to_floor: {rate / limit:.2f}")
            print(f"{name}_cpu_us_per_account: accountd {spent[0]:.1f}, Redis {spent[1]:.1f}, broker {spent[2]:.1f}")
            print(f"{name}_peak_mib: {max(run[2] for run in runs)}")
    finally:
        world.close()
        kafka.close()


main()
