"""What each system costs and what it sees of an image: the leaderboard of a revision, with the times of this machine."""

from collections.abc import Mapping, Sequence

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
    worth = {
        one["system"]: [
            row["source"] for row in rows if row["system"] == one["system"] and row["on_front"] == "1"
        ]
        for one in systems
    }
    costs = [[*costs_of(row), ", ".join(worth[row["system"]]) or "–"] for row in systems]
    heads = [*COSTS, "worth its cost on"]
    tables = [
        Table(heads, costs, range(1, len(heads) - 1), "What each system costs", HOW_MEASURED),
        Table(SEES, [sees_of(row) for row in systems], range(0), "What each system sees"),
    ]
    return tables if rows else []


def cheapest(revision: Revision, systems: Sequence[str]) -> str:
    """Return the one of some systems that costs no more than any other in size and money, and less in one; "" for none."""
    rows = {row["system"]: row for row in revision.leaderboard}
    if any(system not in rows for system in systems):
        return ""
    costs = {
        system: tuple(float(rows[system][key] or "inf") for key in ("parameters", "usd_per_1000_queries"))
        for system in systems
    }
    for system in systems:
        others = [costs[other] for other in systems if other != system]
        if all(costs[system] != other and all(map(float.__le__, costs[system], other)) for other in others):
            return system
    return ""


def cost_words(revision: Revision, system: str) -> str:
    """Return what a system costs in a few words."""
    per_second = {(speed.name, speed.what): float(speed.per_second) for speed in revision.speeds}
    fields = revision.param("retrieve.fields", [])
    words = []
    for part in made_of(revision, system):
        does = "to read" if part in fields else "to embed"
        rate = per_second.get((part, "images"))
        words.append(
            f"{1 / rate:.2g} s an image {does} it ({part}), once" if rate else f"images {does} ({part}), once"
        )
    row = next((row for row in revision.leaderboard if row["system"] == system), None)
    usd = row["usd_per_1000_queries"] if row else ""
    if usd and float(usd):
        words.append(f"{float(usd):.2f} USD for 1,000 queries")
    elif row and not usd:
        words.append("money for each query")
    return " and ".join(words) or UNKNOWN
