"""Numbers and measures as a reader sees them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from text2image.evaluation.measures import Measure, headline
from text2image.pages.report.blocks import Score

UNKNOWN = "–"


def number(value: object) -> float | None:
    """Return a finite number as float, anything else as None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


def figure(value: object, digits: int = 2) -> str:
    """Return a number; a dash where it is unknown, no decimals where it is whole."""
    finite = number(value)
    if finite is None:
        return UNKNOWN
    return f"{finite:,.0f}" if isinstance(value, int) else f"{finite:.{digits}f}"


def percent(value: object) -> str:
    """Return a share as per cent; a dash where it is unknown."""
    share = number(value)
    return UNKNOWN if share is None else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def items(value: object) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return the items of a mapping of mappings; nothing of anything else."""
    return [(k, v) for k, v in value.items() if isinstance(v, Mapping)] if isinstance(value, Mapping) else []


def known_measure(text: str) -> Measure | None:
    """Return the measure that a key of metrics.json names; None for other keys, such as those of older versions."""
    try:
        return Measure.parse(text)
    except ValueError:
        return None


def headline_of(row: Mapping[str, object]) -> Measure | None:
    """Return the hit rate that the conclusions speak of, of those in a row of metrics.json; or none."""
    ks = [one.k for one in map(known_measure, row) if one and one.name == "hit_rate" and one.k]
    return headline(ks) if ks else None


def measure_name(text: str) -> str:
    """Return a key of metrics.json as people write it: ``hit_rate@5`` as ``HitRate@5``."""
    measure = known_measure(text)
    return measure.title if measure else text.replace("_", " ")


def measured(row: Mapping[str, Any], measure: str) -> Score | None:
    """Return a measure of a row of metrics.json with its interval and level of chance."""
    value, chance = number(row.get(measure)), row.get("chance")
    if value is None:
        return None
    by_chance = number(chance.get(measure)) if isinstance(chance, Mapping) else None
    return Score(value, number(row.get(f"{measure}_low")), number(row.get(f"{measure}_high")), by_chance)
