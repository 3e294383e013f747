"""What each system costs and what it sees of an image: the leaderboard of a revision, with the times of this machine."""

from collections import Counter
from collections.abc import Mapping, Sequence

from text2image.evaluation.leaderboard import COSTS as RESPECTS
from text2image.evaluation.leaderboard import add_times
from text2image.formats.tables import Row
from text2image.pages.leaderboard import COSTS, SEES, UNKNOWN, by_size, costs_of, sees_of
from text2image.pages.report.blocks import Table
from text2image.pages.report.revisions import Revision

HOW_MEASURED = (
    "Parameters are those of the models that embed queries and images; the index holds vectors in float32, and texts. Times are "
    "those that `t2i throughput` measured on this machine, to prepare 1,000 images once, and for a query the median and in "
    "brackets the 95th percentile; a million images by a straight line through two sizes. Worth its cost: better, beyond "
    "luck, than every cheaper system that is, by size and money."
)


def made_of(revision: Revision, system: str, depth: int = 0) -> list[str]:
    """Return the models and fields that images are prepared for, of a system of ``systems`` or a model alone."""
    settings = revision.param(f"systems.{system}")
    if not isinstance(settings, Mapping) or depth > len(revision.param("systems", {})):
        return [system]
    of, fields = settings.get("of", []), settings.get("fields", [])
    parts = [
        part for one in ([of] if isinstance(of, str) else of) for part in made_of(revision, one, depth + 1)
    ]
    model = [settings["model"]] if settings.get("kind") == "vision" and "model" in settings else []
    return list(dict.fromkeys([*model, *parts, *(fields or [])]))


def timed(revision: Revision) -> list[Row]:
    """Return the rows of the leaderboard with the times that are known."""
    parts = {row["system"]: made_of(revision, row["system"]) for row in revision.leaderboard}
    return add_times(revision.leaderboard, parts, revision.comparison, revision.speeds, revision.query_times)


def cost_table(revision: Revision) -> list[Table]:
    """Return what systems cost, and what they see; nothing of a revision without a leaderboard of this version."""
    rows = timed(revision)
    systems = by_size(rows)
    costs = [[*costs_of(row), ", ".join(_worth(row["system"], rows)) or "–"] for row in systems]
    heads = [*COSTS, "worth its cost on"]
    tables = [
        Table(heads, costs, range(1, len(heads) - 1), "What each system costs", HOW_MEASURED),
        Table(SEES, [sees_of(row) for row in systems], range(0), "What each system sees"),
    ]
    return tables if rows else []


def _worth(system: str, rows: Sequence[Row]) -> list[str]:
    """Return the sources on which a system is on the front, of those that test several."""
    tested = Counter(row["source"] for row in rows if row["circular"] == "0")
    return [
        row["source"]
        for row in rows
        if row["system"] == system and row["on_front"] == "1" and tested[row["source"]] > 1
    ]


def cheapest(revision: Revision, systems: Sequence[str]) -> str:
    """Return the one of some systems that costs no more than any other in size and money, and less in one; "" for none."""
    rows = {row["system"]: row for row in revision.leaderboard}
    if any(system not in rows for system in systems):
        return ""
    costs = {system: tuple(float(rows[system][key] or "inf") for key in RESPECTS) for system in systems}
    for system in systems:
        others = [costs[other] for other in systems if other != system]
        if all(costs[system] != other and all(map(float.__le__, costs[system], other)) for other in others):
            return system
    return ""


def cost_words(revision: Revision, system: str) -> str:
    """Return what a system costs in a few words."""
    row = next((row for row in revision.leaderboard if row["system"] == system), None)
    usd = row["usd_per_1000_queries"] if row else "0"
    money = (
        f"{float(usd):.2f} USD for 1,000 queries"
        if usd and float(usd)
        else ""
        if usd
        else "money for each query"
    )
    return " and ".join(filter(None, [_preparing(revision, system), money])) or UNKNOWN


def _preparing(revision: Revision, system: str) -> str:
    """Return what has to be done with each image once, and how long that takes if it is known."""
    parts, fields = made_of(revision, system), revision.listed("retrieve.fields")
    rates = {speed.name: float(speed.per_second) for speed in revision.speeds if speed.what == "images"}
    if not all(part in rates for part in parts):
        does = [f"{'read' if part in fields else 'embedded'} ({part})" for part in parts]
        return f"that each image is {' and '.join(does)}, once" if parts else ""
    times = [f"{1 / rates[part]:.2g} s to {'read' if part in fields else 'embed'} ({part})" for part in parts]
    return f"{' and '.join(times)} an image, once" if parts else ""
