"""How many commands a second, beside the floor: a bare loop in C on the same servers, which decodes, checks, reads and
guarantees nothing. All contenders run in each round, every one from a fresh Redis and with a group of its own."""

import argparse
import statistics

from amounts import amount
from bench import Bench
from contender import GO_WORKER, Scenario

CONTENDERS = ["floor", "accountd-json", "accountd-msgpack", "go", "redis-benchmark", "consume"]
MIXES = {"create": 0, "edit": 200_000, "edit5m": amount(5_000_000, 50_000), "zipf": 200_000, "batch": 200_000}

EPILOG = """The clock runs from the first offset that the group is seen to have committed to the last one; what was committed
before it is not counted. So the start of the process and the group's join are excluded, for all alike.

A run of 1,000,000 commands takes 5 to 15 s, and about 5 s to start; edit5m adds a minute for its 5,000,000 accounts
once, 20 s a run to load them, and 5 GB of memory. A batch command has 100 accounts, and a hundredth of --commands is
run. Commands are made without compression unless --compression says otherwise."""


def scenarios(options):
    for mix in options.mix:
        for partitions in options.partitions:
            for processes in options.processes:
                for threads in options.threads:
                    commands = options.commands // (100 if mix == "batch" else 1)
                    name = mix.replace("-", "_")
                    name += f"_{threads}t" if len(options.threads) > 1 else ""
                    name += f"_{processes}x" if len(options.processes) > 1 else ""
                    name += f"_{partitions}p" if len(options.partitions) > 1 else ""
                    kind = mix.removesuffix("5m")
                    worker = {"batch_max": options.batch} if options.batch else {}
                    yield Scenario(name, kind, MIXES[mix], commands, threads, processes, partitions, worker)


def rounds(bench, scenario, contenders, count, warm_up=True):
    """The results of each contender. Each round begins with another one; without warming up, the first with the daemon,
    whose replies tell the floor's size."""
    print(f"\n== {scenario.name}: {scenario.commands} commands, {scenario.threads} threads, "
          f"{scenario.processes} processes, {scenario.partitions} partitions", flush=True)
    results = {contender: [] for contender in contenders}
    for contender in sorted(contenders, key=lambda name: name != "accountd-json") if warm_up else ():
        bench.run(scenario, contender, warm=True)
    for turn in range(count):
        order = contenders[turn % len(contenders):] + contenders[: turn % len(contenders)]
        for contender in order:
            results[contender].append(bench.run(scenario, contender))
        said = ", ".join(f"{contender} {results[contender][-1].rate:,.0f}" for contender in contenders)
        print(f"round {turn + 1}: {said}", flush=True)
    return results


def median(results, value):
    return statistics.median(value(result) for result in results)


def table(results):
    floor = median(results["floor"], lambda result: result.rate) if "floor" in results else None
    print(f"{'':18}{'commands/s':>11}{'lowest':>10}{'highest':>10}{'to floor':>9}"
          f"{'CPU own':>9}{'Redis':>7}{'broker':>7}{'MiB':>6}")
    for contender, runs in results.items():
        rate = median(runs, lambda result: result.rate)
        cpu = [median(runs, lambda result, n=n: result.cpu[n]) for n in range(3)]
        ratio = f"{rate / floor:.2f}" if floor and contender not in ("consume", "redis-benchmark") else ""
        print(f"{contender:18}{rate:11,.0f}{min(run.rate for run in runs):10,.0f}{max(run.rate for run in runs):10,.0f}"
              f"{ratio:>9}{cpu[0]:9.2f}{cpu[1]:7.2f}{cpu[2]:7.2f}{max(run.peak_mib for run in runs):6.0f}")
    print("(CPU: seconds for a million commands)")


def lines(scenario, results):
    rates = {contender: median(runs, lambda result: result.rate) for contender, runs in results.items()}
    for contender, runs in results.items():
        name = f"{scenario.name}_{contender.replace('-', '_')}"
        print(f"{name}_per_second: {rates[contender]:.0f}")
        if scenario.per_command > 1:
            print(f"{name}_accounts_per_second: {rates[contender] * scenario.per_command:.0f}")
        for n, who in enumerate(("own", "redis", "broker")):
            print(f"{name}_cpu_{who}: {median(runs, lambda result: result.cpu[n]):.2f}")
        if contender not in ("floor", "consume", "redis-benchmark") and "floor" in rates:
            print(f"{name}_to_floor: {rates[contender] / rates['floor']:.2f}")
        if contender.startswith("accountd"):
            if "go" in rates:
                print(f"{name}_to_go: {rates[contender] / rates['go']:.2f}")
            print(f"{name}_peak_mib: {max(run.peak_mib for run in runs):.0f}")
            print(f"{name}_commit_call_ms: {median(runs, lambda result: result.commit_usec) / 1000:.2f}")
            print(f"{name}_longest_redis_call_ms: {max(run.longest_ms for run in runs):.1f}")
            print(f"{name}_redis_calls_over_10_ms: {sum(run.over_10_ms for run in runs)}")
            print(f"{name}_redis_us: {redis_share(runs[-1].redis_usec)}")


def redis_share(usec):
    """Where Redis' time of a command goes; fcall's own is what is left when the calls inside it are taken off."""
    longest = sorted(usec.items(), key=lambda item: -item[1])[:6]
    return ", ".join(f"{name} {spent:.2f}" for name, spent in longest)


def present(contenders):
    if "go" in contenders and not GO_WORKER.exists():
        print("No Go on this machine: the column of the worker written in it is left out.")
        return [contender for contender in contenders if contender != "go"]
    return contenders


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mix", nargs="+", choices=MIXES, default=["create", "edit"])
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--commands", type=int, default=amount(500_000, 30_000))
    parser.add_argument("--rounds", type=int, default=amount(3, 1))
    parser.add_argument("--threads", nargs="+", type=int, default=[2])
    parser.add_argument("--processes", nargs="+", type=int, default=[1])
    parser.add_argument("--partitions", nargs="+", type=int, default=[4])
    parser.add_argument("--batch", type=int, help="worker.batch_max; accountd's own default without it")
    parser.add_argument("--compression", default="none", help="of the commands: none, lz4, snappy, zstd, gzip")
    options = parser.parse_args()
    contenders = present(options.contenders)
    bench = Bench(options.compression)
    try:
        for scenario in scenarios(options):
            results = rounds(bench, scenario, contenders, options.rounds)
            table(results)
            lines(scenario, results)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
