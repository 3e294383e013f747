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
REASON = 160  # letters
HOW_TO_READ = (
    f"Best first, with 95 % intervals in brackets, but for fewer than {MIN_CLUSTERS} independent queries. Systems whose "
    "intervals overlap widely may be equally good: metrics/comparison.json tells. `*`: on the Pareto front, which goes by what "
    "can be claimed: better than every cheaper system on it, by size and money, and nothing as cheap is better. `+`: the same by "
    "time and money on this machine. Circular: the labels and the system go back to the same weights or texts, so that the "
    "score says nothing; such systems stand last and are on no front."
)
WITHOUT = (
    "What is not on this machine is found in the folder that HF_HOME names, or in a copy: set the model's name "
    "in params.yaml to local-dir:PATH."
)
HOW_IT_COSTS = (
    "Prepare: seconds to embed and read 1,000 images, once. Query: from its text to the first images, the median and in brackets "
    "the 95th percentile; at a million images by a straight line through two sizes. Index: vectors in float32, and texts."
)
COSTS = (
    "system", "parameters", "dimension", "prepare 1,000, s", "query, ms", "at a million, ms", "1,000 queries, USD",
    "index here", "index per million",
)  # fmt: skip
SEES = ("system", "kind", "input, pixels", "resize", "views", "context, tokens")


def markdown(rows: Sequence[Row], licences: Mapping[str, str], absent: Mapping[str, str]) -> str:
    """Return the leaderboard as a page.

    Args:
        rows: from :func:`text2image.evaluation.leaderboard.add_times`, at least one.
        licences: ``{system: licence}`` of what is in ``rows``.
        absent: ``{model: reason}`` of the models that could not be had.
    """
    parts = ["# Leaderboard", HOW_TO_READ]
    for source, of_source in groupby(rows, key=itemgetter("source")):
        parts += _quality(source, sorted(of_source, key=lambda row: (row["circular"], -float(row["mrr"]))))
    parts += cost_tables(rows, licences)
    if absent:
        parts += [
            "## Not to be had",
            WITHOUT,
            "\n".join(f"- {model}: {_brief(reason)}" for model, reason in absent.items()),
        ]
    return "\n\n".join(parts) + "\n"


def cost_tables(rows: Sequence[Row], licences: Mapping[str, str]) -> list[str]:
    """Return what each system costs, and what it sees of images and queries, by size."""
    devices = " and ".join(sorted({row["device"] for row in rows} - {""}))
    return [
        f"## What it costs on this machine ({devices})" if devices else "## What it costs",
        HOW_IT_COSTS,
        table((*COSTS, "licence"), [(*costs_of(row), licences[row["system"]]) for row in by_size(rows)]),
        "## What it sees",
        table(SEES, list(map(sees_of, by_size(rows)))),
    ]


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


def by_size(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each system, those with the fewest parameters first, else in their order."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row["system"], row)
    return sorted(first.values(), key=lambda row: float(row["parameters"] or "inf"))


def costs_of(row: Row) -> tuple[str, ...]:
    """Return the cells of the columns ``COSTS`` of a row of the leaderboard with times."""
    kept = float(row["bytes_per_image"]) if row["bytes_per_image"] else None
    high = f" [{_figure(row['query_ms_95'])}]" if row["query_ms_95"] else ""
    return (
        row["system"],
        _millions(row["parameters"]),
        row["dimension"] or UNKNOWN,
        _figure(row["prepare_seconds_per_1000"]),
        f"{_figure(row['query_ms'])}{high}",
        _figure(row["query_ms_million"]),
        _money(row["usd_per_1000_queries"]),
        UNKNOWN if kept is None else f"{kept * int(row['n_images']) / 1e6:,.2f} MB",
        UNKNOWN if kept is None else f"{kept * 1e6 / 1e9:,.2f} GB",
    )


def sees_of(row: Row) -> tuple[str, ...]:
    """Return the cells of the columns ``SEES``."""
    return row["system"], *(
        row[name] or "–" for name in ("kind", "image_size", "resize", "views", "context_length")
    )


def _figure(value: str) -> str:
    """Return a measured time with two or three digits.

    >>> _figure("1234.5"), _figure("12.34"), _figure("0.123"), _figure("")
    ('1,234', '12.3', '0.12', 'unknown')
    """
    if not value:
        return UNKNOWN
    figure = float(value)
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 1 else f"{figure:.2f}"


def _millions(parameters: str) -> str:
    """Return how many parameters there are.

    >>> _millions("29532969"), _millions("0"), _millions("")
    ('29.5 M', '0', 'unknown')
    """
    return UNKNOWN if not parameters else f"{int(parameters) / 1e6:.1f} M" if int(parameters) else "0"


def _money(usd: str) -> str:
    """Return an amount; nothing is a plain 0.

    >>> _money("0"), _money("3.456"), _money("")
    ('0', '3.46', 'unknown')
    """
    return UNKNOWN if not usd else f"{float(usd):.2f}" if float(usd) else "0"


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
