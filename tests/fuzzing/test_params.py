"""Damaged params.yaml: read, or refused in one sentence."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.fuzzing import TOKENS, fuzz, mutated, refused
from tests.support.pipeline import REPOSITORY
from text2image.params import load_params

PARAMS = (REPOSITORY / "params.yaml").read_bytes()
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, 1e308, float("nan"), float("inf"), "", "x", "builtin", "human", "\0", "\ud7ff\u2028", "1", [], [[]],
    ["builtin", "builtin"], {}, {"x": {}}, {None: 1}, {1: 2}, {(): 1}, date(2026, 1, 1), b"\xff", {"kind": "fusion"}, [None],
)  # fmt: skip
PIECES = (
    *TOKENS, b"!!int ''", b"!!bool x", b"!!float x", b"!!timestamp x", b"!!set {x}", b"!!python/name:os.system", b"2026-99-99", b"1:99:99",
    b"- ", b": ", b"? ", b"&a ", b"*a", b"<<: ", b"%YAML 9.9\n---\n", b"---\n", b"|\n", b"  ", b"0x", b"0b", b"0x" + b"f" * 5000, b"1e5", b".5", b"~",
)  # fmt: skip
LAUGHS = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (n + 1, n + 1, *[n] * 9)
    for n in range(97, 106)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from places(child, (*path, key))


TREE = yaml.safe_load(PARAMS)
DUMPED = yaml.safe_dump(TREE, allow_unicode=True).encode()  # without comments: read in half the time
PLACES = list(places(TREE))[1:]


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """Return the parameters with one to three values replaced or removed."""
    tree = copy.deepcopy(TREE)
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(PLACES))
        value = tree
        try:
            for step in above:
                value = value[step]
            if draw(st.booleans()):
                value[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            else:
                del value[key]
        except (KeyError, IndexError, TypeError):  # an earlier edit took it away
            continue
    return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed") / "params.yaml"


@fuzz(25)
@given(content=st.one_of(edited(), mutated([DUMPED], PIECES)))
@example(content=LAUGHS)
@example(content=LAUGHS + b"data: {images: *j}\n")
@example(content=LAUGHS + b"label: {sources: *j}\nmodels: {x: *j}\n")
@example(content=DUMPED.replace(b"images:", b"images: 0x" + b"f" * 5000 + b" #", 1))
@example(content=DUMPED + b"extra: 2026-99-99\n")
@example(content=DUMPED + b"extra: !!bool x\n")
@example(content=DUMPED + b"extra: !!int ''\n")
@example(content=DUMPED + b"extra: " + b"9" * 5000 + b"\n")
@example(content=DUMPED + b"extra: &x [*x]\n")
@example(content=b"[" * 3000)
@example(content=b"data: {images: " + b"[" * 400 + b"]" * 400 + b"}")
def test_damaged_parameters_are_read_or_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    refused(lambda: load_params(file))
