"""The leaderboard as people read it: Markdown tables whose columns line up in a terminal, too."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from text2image.evaluation.curves import marked
from text2image.evaluation.measures import Measure
from text2image.evaluation.statistics.intervals import MIN_CLUSTERS
from text2image.evaluation.summary import ENDS
from text2image.formats.tables import Row

UNKNOWN = "unknown"
FLOAT32 = 4
REASON = 160  # letters
HOW_TO_READ = (
    f"Best first, with 95 % intervals in brackets, but for fewer than {MIN_CLUSTERS} independent queries. Systems whose "
    "intervals overlap widely may be equally good: metrics/comparison.json tells. `*`: on the Pareto front, no other system is both smaller and better. "
    "`+`: no other system is both faster and better. Circular: the labels and the system go back to the same weights or "
    "texts, so that the score says nothing; such systems stand last and are on no front."
)
WITHOUT = (
    "What is not on this machine is found in the folder that HF_HOME names, or in a copy: set the model's name "
    "in params.yaml to local-dir:PATH."
)
COSTS = (
    "system", "parameters", "dimension", "images/s", "queries/s", "index here", "index per million", "licence",
)  # fmt: skip


def markdown(rows: Sequence[Row], licences: Mapping[str, str], absent: Mapping[str, str]) -> str:
    """Return the leaderboard as a page.

    Args:
        rows: from :func:`text2image.evaluation.leaderboard.add_speeds`, at least one.
        licences: ``{system: licence}`` of the systems in ``rows``.
        absent: ``{system: reason}`` of the systems that could not be had.
    """
    parts = ["# Leaderboard", HOW_TO_READ]
    for source, of_source in groupby(rows, key=itemgetter("source")):
        parts += _quality(source, sorted(of_source, key=lambda row: (row["circular"], -float(row["mrr"]))))
    first = {row["system"]: row for row in reversed(rows)}
    costs = [
        _costs(row, licences[system])
        for system, row in sorted(first.items(), key=lambda item: float(item[1]["parameters"] or "inf"))
    ]
    devices = " and ".join(sorted({row["device"] for row in rows} - {""}))
    parts += [
        f"## What it costs on this machine ({devices})" if devices else "## What it costs",
        "Speeds are measured end to end, images from JPEG files; an index holds a float32 vector an image.",
        table(COSTS, costs),
    ]
    if absent:
        parts += [
            "## Not to be had",
            WITHOUT,
            "\n".join(f"- {system}: {_brief(reason)}" for system, reason in absent.items()),
        ]
    return "\n\n".join(parts) + "\n"


def _brief(reason: str) -> str:
    """Return the beginning of a sentence: what to do about it is said once for all, the rest when it happens."""
    said = reason.partition("; ")[0]
    return said if len(said) <= REASON else f"{said[: REASON - 1]}…"


def _quality(source: str, rows: Sequence[Row]) -> Iterator[str]:
    first = rows[0]
    yield f"## {source}: {first['n_queries']} queries in {first['n_images']} images"
    hit_rate = Measure("hit_rate", int(first["k"]))
    head = ("", "system", f"MRR (by chance {float(first['mrr_chance']):.2f})", hit_rate.title)
    lines = [
        (
            _marks(row),
            marked(row["system"], circular=row["circular"] == "1"),
            _mean(row, "mrr"),
            _mean(row, "hit_rate"),
        )
        for row in rows
    ]
    yield table(head, lines)


def _marks(row: Row) -> str:
    return "*" * (row["on_front"] == "1") + "+" * (row["on_speed_front"] == "1")


def _mean(row: Row, name: str) -> str:
    mean, low, high = (row[f"{name}{end}"] for end in ENDS)
    interval = f" [{float(low):.2f}, {float(high):.2f}]" if low and high else ""
    return f"{float(mean):.2f}{interval}"


def _costs(row: Row, licence: str) -> tuple[str, ...]:
    parameters, dimension = row["parameters"], row["dimension"]
    vector = FLOAT32 * int(dimension) if dimension else None
    return (
        row["system"],
        f"{int(parameters) / 1e6:.1f} M" if parameters else UNKNOWN,
        dimension or UNKNOWN,
        _rate(row["images_per_second"]),
        _rate(row["queries_per_second"]),
        f"{vector * int(row['n_images']) / 1e6:,.2f} MB" if vector else UNKNOWN,
        f"{vector * 1e6 / 1e9:,.1f} GB" if vector else UNKNOWN,
        licence,
    )


def _rate(per_second: str) -> str:
    if not per_second:
        return UNKNOWN
    rate = float(per_second)
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; columns in which every cell begins with a digit stand to the right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(3, *map(len, column)) for column in columns]
    right = [all(cell[:1].isdigit() for cell in column[1:]) for column in columns]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = ["-" * (width - numeric) + ":" * numeric for width, numeric in zip(widths, right, strict=True)]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])
