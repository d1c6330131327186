"""How much is measured. BENCH_SHORT=1 is to see that everything runs: then the figures say nothing."""

import os

SHORT = bool(os.environ.get("BENCH_SHORT"))


def amount(usual, short):
    return short if SHORT else usual
