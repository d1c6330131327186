"""How long a command takes from when it was to be sent until a reader of committed messages has its reply, at constant
rates. Beside it bare transactions under the same load: a loop (echo.c) that answers each command and commits its offset,
and does nothing else; and a lone transaction with one message, on a broker that has nothing else to do."""

import argparse
import subprocess

from amounts import amount
from bench import Bench
from contender import PROGRAMS, Run, Scenario

PERCENTILES = ["p50", "p90", "p99", "p99_9", "max"]
ACCOUNTS = 200_000


def figures(program, *arguments):
    """The lines `name: value` of a program, which must end well."""
    done = subprocess.run([PROGRAMS / program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"{program} {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return {name: float(value) for name, value in (line.split(": ") for line in done.stdout.splitlines())}


def row(name, said, prefix):
    print(f"{name:26}" + "".join(f"{said[f'{prefix}_{percentile}_us'] / 1000:10.2f}" for percentile in PERCENTILES), flush=True)


def at_rate(bench, scenario, contender, rate, seconds):
    """One contender, from a fresh state, at one rate; and the lone transaction before and after it."""
    bench.fresh_redis(scenario)
    bench.turn += 1
    topic = f"latency-{bench.turn}"
    bench.kafka.make_topic(topic, scenario.partitions)
    bench.kafka.make_topic(f"{topic}.bare")
    run = Run(bench, scenario, contender, topic, f"latency{bench.turn}")
    load = [topic, run.own_topics["replies"], "edit", contender.removeprefix("accountd-").replace("echo", "json")]
    try:
        run.start()
        for daemon in run.daemons:
            daemon.wait_ready()
        before = figures("roundtrip", bench.kafka.address, f"{topic}.bare", 5)
        said = figures("load", bench.kafka.address, *load, ACCOUNTS, rate, seconds)
        after = figures("roundtrip", bench.kafka.address, f"{topic}.bare", 5)
    finally:
        run.stop()
        bench.kafka.delete_topics([topic, f"{topic}.bare"])
    return said, {name: (before[name] + after[name]) / 2 for name in before}


def show(bench, scenario, contender, rate, seconds):
    """The daemon beside what Kafka's transactions take: under the same load, and one by one without any."""
    said, bare = at_rate(bench, scenario, contender, rate, seconds)
    echo, _ = at_rate(bench, scenario, "echo", rate, seconds)
    row(f"{rate:,.0f}/s", said, "latency")
    row("  bare transactions", echo, "latency")
    row("  one, without load", bare, "roundtrip")
    row("  sent late", said, "sent_late")
    row("  taken by the broker", said, "acknowledged")
    for percentile in PERCENTILES:
        print(f"latency_{rate:.0f}_{percentile}_ms: {said[f'latency_{percentile}_us'] / 1000:.2f}")
        print(f"latency_{rate:.0f}_bare_{percentile}_ms: {echo[f'latency_{percentile}_us'] / 1000:.2f}")
        print(f"latency_{rate:.0f}_lone_{percentile}_ms: {bare[f'roundtrip_{percentile}_us'] / 1000:.2f}")
    for percentile in ("p50", "p99"):
        took = said[f"latency_{percentile}_us"]
        print(f"latency_{rate:.0f}_{percentile}_to_bare: {took / echo[f'latency_{percentile}_us']:.2f}")
        print(f"latency_{rate:.0f}_{percentile}_to_lone: {took / bare[f'roundtrip_{percentile}_us']:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog="Each rate takes --seconds twice and about 40 s more.")
    parser.add_argument("--rates", nargs="+", type=int, default=[100, 1000, 10000], help="commands a second")
    parser.add_argument("--no-half", action="store_true", help="leave out half of the maximum, which is measured first")
    parser.add_argument("--seconds", type=int, default=amount(20, 2))
    parser.add_argument("--format", choices=["json", "msgpack"], default="json")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    scenario = Scenario("latency", "edit", ACCOUNTS, amount(300_000, 30_000), options.threads)
    bench = Bench()
    try:
        rates = list(options.rates)
        if not options.no_half:
            bench.run(scenario, f"accountd-{options.format}", warm=True)
            most = bench.run(scenario, f"accountd-{options.format}").rate
            print(f"latency_maximum_per_second: {most:.0f}")
            rates.append(int(most / 2))
        print(f"{'edits, in ms':26}" + "".join(f"{percentile:>10}" for percentile in PERCENTILES))
        for rate in rates:
            show(bench, scenario, f"accountd-{options.format}", rate, options.seconds)
    finally:
        bench.close()


main()
