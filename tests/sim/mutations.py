#!/usr/bin/env python3
"""Proves that the simulation can fail: takes one rule after the other out of the sources, and expects that some
seed then breaks. The same sources give the same seeds.

    tests/sim/mutations.py [--only WORDS] [--seconds N] [--seeds N] [--sound N] [--jobs N] [--list]

A rule that can go without any seed noticing is either not needed or not tested: both are worth knowing. Each job
has a copy of the sources and of what was built from them, so that a mutation costs one object and one link.
"""

import argparse
import concurrent.futures
import os
import queue
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # nothing but sources in the directory of the sources

from mutation_list import MUTATIONS  # pylint: disable=wrong-import-position

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"), "mutations")
SOURCES = ("Makefile", "src", "include", "systemd", "tests/sim", "tests/unit")
PROGRAM = "build/sim"
CHUNK = 200  # seeds of one start of the program


class Stale(Exception):
    """A mutation whose text is not in the sources, or more than once."""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def mutate(tree, changes):
    """Makes the changes in a tree; returns what the files held before."""
    before, after = {}, {}
    for name, old, new in changes:
        before.setdefault(name, read(os.path.join(tree, name)))
        text = after.get(name, before[name])
        if text.count(old) != 1:
            raise Stale(f"{name} has this {text.count(old)} times, should have it once:\n{old}")
        after[name] = text.replace(old, new)
    for name, text in after.items():
        write(os.path.join(tree, name), text)
    return before


def make_tree(tree):
    shutil.rmtree(tree, ignore_errors=True)
    for name in SOURCES:
        source, target = os.path.join(ROOT, name), os.path.join(tree, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)


def build(tree):
    # Warnings are not errors here: a rule that is taken out may leave a function that nobody calls.
    result = subprocess.run(["make", "-s", "BUILD=build", "WERROR=0", PROGRAM], cwd=tree, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        raise RuntimeError(f"the sources do not build:\n{result.stdout[-3000:]}")


def options_of(mutation):
    """What the simulation is run with: faults alone, or all of it."""
    return ("--faults", mutation[2]) if isinstance(mutation[2], str) else mutation[2]


def run_some(tree, first, count, options):
    """Runs seeds until one breaks. Returns what was said, or None, and the processor time that it took."""
    command = [os.path.join(tree, PROGRAM), "--seeds", str(first), str(count), *options]
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().strip()
    return (text or "?") if process.returncode else None, usage.ru_utime + usage.ru_stime


def run(tree, seeds, seconds, options):
    """Runs seeds until one breaks or the processor time is over. Returns (seed or None, said, tried, seconds)."""
    used, first = 0.0, 1
    while used < seconds and first <= seeds:
        count = min(CHUNK, seeds + 1 - first)
        said, cpu = run_some(tree, first, count, options)
        used += cpu
        if said:
            seed = re.search(r"seed (\d+)", said)
            if not seed:
                raise RuntimeError(said)
            return int(seed.group(1)), said, int(seed.group(1)), used
        first += count
    return None, "", first - 1, used


def summary(said):
    """One line of what was said."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return re.sub(r"^seed \d+: ", "", lines[0])[:110] if lines else ""


class Job(threading.Thread):
    """Takes one rule after the other out of a copy of the sources."""

    def __init__(self, number, base, tasks, results, limits):
        super().__init__(daemon=True)
        self.tree = os.path.join(BUILD, f"tree{number}")
        self.base, self.tasks, self.results, self.limits = base, tasks, results, limits

    def try_one(self, changes, options):
        before = mutate(self.tree, changes)
        try:
            build(self.tree)
            found = run(self.tree, self.limits.seeds, self.limits.seconds, options)
        finally:
            for name, text in before.items():
                write(os.path.join(self.tree, name), text)
        said = found[0] and run_some(self.base, found[0], 1, options)[0]
        if said:
            raise RuntimeError(f"seed {found[0]} breaks with the rule in place too:\n{said}")
        return found

    def run(self):
        shutil.rmtree(self.tree, ignore_errors=True)
        shutil.copytree(self.base, self.tree)
        while True:
            try:
                mutation = self.tasks.get_nowait()
            except queue.Empty:
                return
            try:
                self.results.put((mutation[0], self.try_one(mutation[1], options_of(mutation)), None))
            except Exception as error:  # whatever it is: a rule that was not tried was not shown to be needed
                self.results.put((mutation[0], None, str(error)))


def report(rule, found, error):
    """Prints a line of the table. True when some seed breaks without the rule."""
    if error:
        print(f"BROKEN      {rule}\n    {error}", flush=True)
        return False
    seed, said, tried, seconds = found
    if seed is None:
        print(f"NOT CAUGHT  {rule}: {tried} seeds hold without it, {seconds:.0f} s", flush=True)
    else:
        print(f"caught      {rule}: seed {seed}, {seconds:.1f} s: {summary(said)}", flush=True)
    return seed is not None


def unsound(base, sets, limits):
    """With all rules in place seeds hold, whatever is aimed at them. What is said of the first that does not."""
    with concurrent.futures.ThreadPoolExecutor(limits.jobs) as pool:
        runs = pool.map(lambda options: run(base, limits.sound, 600, options), sets)
        for options, (seed, said, *_) in zip(sets, runs):
            if seed:
                return f"with all rules in place seed {seed} breaks already, with {' '.join(options)}:\n{said}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="rules whose name holds these words, or these|or these")
    parser.add_argument("--seconds", type=float, default=240,
                        help="processor time that seeds are given to break without a rule")
    parser.add_argument("--seeds", type=int, default=1000000, help="how many at most")
    parser.add_argument("--sound", type=int, default=50, help="seeds that must hold with all rules")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true", help="name the rules and check that they are there")
    options = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if any(words in mutation[0] for words in options.only.split("|"))]

    base = os.path.join(BUILD, "base")
    make_tree(base)
    for rule, changes, *_ in chosen:
        for name, text in mutate(base, changes).items():
            write(os.path.join(base, name), text)
        if options.list:
            print(rule)
    if options.list:
        return 0
    build(base)
    wrong = unsound(base, sorted({options_of(mutation) for mutation in chosen}), options)
    if wrong:
        print(wrong)
        return 1

    tasks, results = queue.Queue(), queue.Queue()
    for mutation in chosen:
        tasks.put(mutation)
    for number in range(min(options.jobs, len(chosen))):
        Job(number, base, tasks, results, options).start()
    caught = sum(report(*results.get()) for _ in chosen)
    used = sum(resource.getrusage(who)[0] + resource.getrusage(who)[1]
               for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{caught} of {len(chosen)} rules cannot go unnoticed; {used:.0f} s of processor time")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stale as stale:
        print(stale)
        sys.exit(2)
