"""The long form of tests that make kills, faults and nonsense at random, which ``make chaos`` runs.

Two variables of the environment govern all of them. ``T2I_CHAOS`` asks for the long form and says how many cases each test
has at least. ``T2I_CHAOS_SEED`` gives the same cases again. Where it is empty or missing, the short form has the same cases
in every run, and the seed of the long form is drawn, printed, and given on to all processes of the run.
"""

from __future__ import annotations

import os
import random

CHAOS = int(os.environ.get("T2I_CHAOS") or 0)
"""Cases of the long form; 0 for the short form."""


def _seed() -> int:
    if given := os.environ.get("T2I_CHAOS_SEED"):
        return int(given)
    drawn = random.SystemRandom().randrange(2**32) if CHAOS else 0
    os.environ["T2I_CHAOS_SEED"] = str(
        drawn
    )  # for workers of pytest-xdist, of which each imports this module
    return drawn


SEED = _seed()


def cases(short: int) -> int:
    """Return how many cases a test has that has so many in the short form."""
    return max(short, CHAOS)


def announced(what: str) -> str:
    """Return the line that says what is tried and how to try the same again."""
    return f"{what}, T2I_CHAOS={CHAOS} T2I_CHAOS_SEED={SEED}"
