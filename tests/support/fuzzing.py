"""Fuzzing: valid inputs with a few of their bytes changed, and the one property that all of them must have.

Hypothesis makes the cases: few, and the same in every run, or many from a seed (:mod:`tests.support.long_form`). A case that
once failed stays as an ``@example`` of its test.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st

from tests.support.long_form import CHAOS, SEED, announced, cases
from text2image.base.console import InputError

Test = TypeVar("Test", bound=Callable[..., Any])
Value = TypeVar("Value")

SECONDS = 20  # that no case may take, on a machine that does other things too
MEGABYTES = 700  # by which no test may let its process grow

TOKENS = (
    b"", b"\0", b"\r", b"\n", b"\r\n", b"\t", b'"', b'""', b"'", b",", b";", b" ", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"\xc2\x85", b"\xe2\x80\xa8", b"\x1b[31m", b"-1", b"0", b"1.5", b"1e999", b"nan", b"inf", b"1_0", b"\xd9\xa3",
    b"9" * 5000, b"=1+1", b"True", b"null", b"[]", b"{}", b"[" * 3000, b"{a: &x [*x]}", b"x" * 140_000,
)  # fmt: skip
"""What readers of text stumble over."""


def fuzz(short: int) -> Callable[[Test], Test]:
    """Run a test on so many cases, the same in every run; or on many random ones, as ``make chaos`` does."""

    def decorate(test: Test) -> Test:
        if CHAOS:
            print(announced(f"{test.__name__}: {cases(short)} cases"))
            test = seed(SEED)(test)
        checks = list(HealthCheck)
        return settings(
            max_examples=cases(short), derandomize=not CHAOS, database=None,
            deadline=timedelta(seconds=SECONDS), suppress_health_check=checks, print_blob=True,
        )(test)  # fmt: skip

    return decorate


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes] = TOKENS) -> bytes:
    """Return one of some contents with up to five pieces replaced: by other bytes, tokens, pieces of itself, or nothing."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.sampled_from((0, 0, 1, 1, 2, 4, 16, 1_000_000))))
        other = draw(st.integers(0, len(content)))
        piece = draw(
            st.one_of(st.sampled_from(tokens), st.binary(max_size=4), st.just(content[other : other + 40]))
        )
        content = content[:start] + piece + content[stop:]
    return content


def refused(read: Callable[[], Value], error: type[Exception] = InputError) -> Value | None:
    """Return what was read, or None if it was refused in one printable sentence; every other exception is a defect."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        return read()
    except error as said:
        assert type(said) is error or isinstance(said, error)
        assert str(said), "says nothing"
        assert str(said).isprintable(), repr(str(said))
        return None
    finally:
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        assert grown < MEGABYTES, f"took {grown} MB"
