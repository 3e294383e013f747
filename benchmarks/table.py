"""The rows that all benchmarks give, and the table that they make."""

import csv
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import NamedTuple

FOLDER = Path(__file__).parent
RESULTS, GUIDE = FOLDER / "results.csv", FOLDER / "README.md"
BEGIN, END = "<!-- results: written by `make bench` -->", "<!-- /results -->"
COLUMNS = ("what", "seconds", "ratio", "of", "memory", "asked for")


class Row(NamedTuple):
    """A measurement beside its reference, both of the same run.

    Attributes:
        part: what was compared: the heading of the row.
        name: what was measured.
        seconds: how long it took.
        reference: the row that it is set against; its own name for a reference.
        ratio: ``seconds`` as a multiple of the reference's.
        gib: peak memory in GiB, where that is of interest.
        asked: what it should hold to, in words.
        held: whether it did.
    """

    part: str
    name: str
    seconds: float
    reference: str
    ratio: float
    gib: float | None = None
    asked: str = ""
    held: bool = True


def reference(part: str, name: str, seconds: float, gib: float | None = None) -> Row:
    """Return a row that others are set against."""
    return Row(part, name, seconds, name, 1.0, gib)


def against(row: Row, name: str, seconds: float, gib: float | None = None) -> Row:
    """Return a row of something set against the reference ``row``."""
    return Row(row.part, name, seconds, row.name, seconds / row.seconds, gib)


def at_most(row: Row, ratio: float) -> Row:
    """Return the row with the largest ratio that it should have."""
    return row._replace(asked=f"at most {ratio:.3g} times", held=row.held and row.ratio <= ratio)


def within(row: Row, seconds: float) -> Row:
    """Return the row with the most seconds that it should take."""
    return row._replace(asked=f"at most {seconds:g} s", held=row.held and row.seconds <= seconds)


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each of ``works``, which take turns, so that noise falls on each alike."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return {name: median(all_) for name, all_ in taken.items()}


def line(row: Row) -> str:
    """Return a row as a line for people who wait."""
    asked = f", asked: {row.asked}{'' if row.held else ', MISSED'}" if row.asked else ""
    memory = "" if row.gib is None else f", {row.gib:.2f} GiB"
    return f"{row.name}: {row.seconds:.4g} s, {row.ratio:.3g} times {row.reference}{memory}{asked}"


def report(rows: Iterable[Row]) -> list[Row]:
    """Print rows as they come and return them."""
    found = []
    for row in rows:
        print(line(row), flush=True)
        found.append(row)
    return found


def require(rows: Iterable[Row]) -> None:
    """End with an error that names the rows that missed what is asked of them, if any did."""
    if missed := [f"{row.name} ({row.part})" for row in rows if not row.held]:
        sys.exit(f"missed what is asked for: {'; '.join(missed)}")


def multiple(ratio: float) -> str:
    """Return a ratio with as many digits as a measurement is worth."""
    return f"{ratio:.3g}" if ratio < 1000 else f"{ratio:,.0f}"


def markdown(rows: Iterable[Row]) -> str:
    """Return a table with a heading for each part."""
    lines = [f"| {' | '.join(COLUMNS)} |", "| --- | ---: | ---: | --- | ---: | --- |"]
    part = ""
    for row in rows:
        if row.part != part:
            part = row.part
            lines.append(f"| **{part}** | | | | | |")
        ratio = "1" if row.reference == row.name else multiple(row.ratio)
        of = "" if row.reference == row.name else row.reference
        memory = "" if row.gib is None else f"{row.gib:.2f} GiB"
        asked = row.asked if row.held else f"{row.asked} **(missed)**"
        lines.append(f"| {row.name} | {row.seconds:.3g} | {ratio} | {of} | {memory} | {asked} |")
    return "\n".join(lines)


def write(rows: Iterable[Row], path: Path = RESULTS) -> None:
    """Write rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(Row._fields)
        for row in rows:
            gib = "" if row.gib is None else f"{row.gib:.3f}"
            out.writerow(row._replace(seconds=f"{row.seconds:.4g}", ratio=f"{row.ratio:.4g}", gib=gib))  # type: ignore[arg-type]


def read(path: Path = RESULTS) -> list[Row]:
    """Read what :func:`write` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                r["part"], r["name"], float(r["seconds"]), r["reference"], float(r["ratio"]),
                float(r["gib"]) if r["gib"] else None, r["asked"], r["held"] == "True",
            )
            for r in csv.DictReader(file)
        ]  # fmt: skip


def renew_guide(rows: Iterable[Row]) -> None:
    """Write the table into benchmarks/README.md."""
    GUIDE.write_text(between(GUIDE.read_text(encoding="utf-8"), markdown(rows)), encoding="utf-8")


def between(text: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """Return a document's text with what stands between two markers replaced.

    Raises:
        ValueError: the markers are not there.
    """
    before, first, rest = text.partition(begin)
    _, second, after = rest.partition(end)
    if not (first and second):
        raise ValueError(f"expected the markers {begin} and {end}, found none")
    return f"{before}{begin}\n{table}\n{end}{after}"
