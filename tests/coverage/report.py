"""Counts lines and branches of gcovr's JSON by directory, lists what the core and the codecs have that no test
reached, and ends with 1 when one of these is below its bound."""

import json
import sys
from collections import defaultdict

# In percent of lines: these decide every command and read every byte that comes from outside.
BOUNDS = {"core": 95, "codec": 95}


def directory(path):
    """src/core/apply.c is core's; what is in src itself is the worker and the daemon around it."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else "worker"


def ranges(numbers):
    """[3, 4, 5, 9] is "3-5 9"."""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def counted(lines):
    return [line for line in lines if not line.get("gcovr/noncode") and not line.get("gcovr/excluded")]


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


def main(path):
    totals = defaultdict(lambda: [0, 0, 0, 0])
    missed, half = {}, {}
    for file in json.load(open(path))["files"]:
        name = file["file"]
        per_line = defaultdict(int)
        branches = defaultdict(list)
        for line in counted(file["lines"]):
            number = line["line_number"]
            per_line[number] += line["count"]
            branches[number] += [branch["count"] for branch in line["branches"] if not branch.get("gcovr/excluded")]
        flat = [count for counts in branches.values() for count in counts]
        for place in (directory(name), "all"):
            sums = totals[place]
            sums[0] += sum(count > 0 for count in per_line.values())
            sums[1] += len(per_line)
            sums[2] += sum(count > 0 for count in flat)
            sums[3] += len(flat)
        missed[name] = sorted(number for number, count in per_line.items() if not count)
        half[name] = sorted(n for n, counts in branches.items() if per_line[n] and not all(counts))

    print(f"\n{'':<10} {'lines':>14} {'':>7}  {'branches':>14}")
    for place in sorted(totals, key=lambda place: (place == "all", place)):
        lines, of_lines, taken, of_taken = totals[place]
        print(
            f"{place:<10} {lines:>6} of {of_lines:>4} {percent(lines, of_lines):>6.1f} %"
            f"  {taken:>6} of {of_taken:>4} {percent(taken, of_taken):>6.1f} %"
        )

    for title, found in (("lines that no test reached", missed), ("lines with a branch that no test took", half)):
        chosen = {name: numbers for name, numbers in found.items() if directory(name) in BOUNDS and numbers}
        if chosen:
            print(f"\n{title}:")
            for name in sorted(chosen):
                print(f"  {name}: {ranges(chosen[name])}")

    below = [place for place, bound in BOUNDS.items() if percent(*totals[place][:2]) < bound]
    for place in below:
        print(f"\n{place} is below {BOUNDS[place]} % of lines")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
