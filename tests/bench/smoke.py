"""A minute of measuring for each change: fails when accountd is slower, beside the floor of the same round, than half
of what it is meant to reach. Times alone never fail it: they are the machine's."""

import sys

from bench import Bench
from contender import Scenario
from throughput import lines, rounds, table

# The floor of edits writes neither index nor changelog, and so is further away.
TARGETS = {
    ("create", "accountd-json"): 0.60,
    ("create", "accountd-msgpack"): 0.70,
    ("edit", "accountd-json"): 0.30,
}
COMMANDS = 100_000
THREADS = 4


def main():
    too_slow = []
    bench = Bench()
    try:
        for mix, accounts in (("create", 0), ("edit", 50_000)):
            targets = {contender: target for (where, contender), target in TARGETS.items() if where == mix}
            scenario = Scenario(mix, mix, accounts, COMMANDS, THREADS)
            # The broker is warm by the second mix.
            results = rounds(bench, scenario, [*targets, "floor"], 2, warm_up=mix == "create")
            table(results)
            lines(scenario, results)
            for contender, target in targets.items():
                # Of the better round: the machine may have been busy with something else in one of them.
                ratio = max(own.rate / floor.rate for own, floor in zip(results[contender], results["floor"]))
                if ratio < target / 2:
                    too_slow.append(f"{mix}: {contender} is at {ratio:.2f} of the floor, less than half of {target:.2f}")
    finally:
        bench.close()
    sys.exit("\n".join(too_slow) or 0)


main()
