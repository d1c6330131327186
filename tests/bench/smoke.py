"""A minute of measuring for each change: fails when accountd is slower, beside the floor of the same run, than half of
what it is meant to reach. Times alone never fail it: they are the machine's."""

import sys

from bench import Bench
from contender import Scenario
from throughput import lines, median, rounds, table

TARGETS = {"accountd-json": 0.60, "accountd-msgpack": 0.70}


def main():
    too_slow = []
    bench = Bench()
    try:
        for mix, accounts in (("create", 0), ("edit", 20_000)):
            scenario = Scenario(mix, mix, accounts, 40_000)
            results = rounds(bench, scenario, ["accountd-json", "floor", "accountd-msgpack"], 2, warm_up=False)
            table(results)
            lines(scenario, results)
            for contender, target in TARGETS.items():
                rates = [median(results[who], lambda result: result.rate) for who in (contender, "floor")]
                if rates[0] < rates[1] * target / 2:
                    too_slow.append(f"{mix}: {contender} is at {rates[0] / rates[1]:.2f} of the floor, "
                                    f"less than half of {target:.2f}")
    finally:
        bench.close()
    sys.exit("\n".join(too_slow) or 0)


main()
