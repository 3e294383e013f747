"""The first thing that a report says of each label source: which system finds the right image, and what that costs.

It says no more than comparison.json claims: systems that cannot be told apart are all named, and the cheapest of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from text2image.base.arrays import Booleans
from text2image.evaluation.measures import Measure
from text2image.evaluation.statistics.front import claimed_better
from text2image.pages.report.blocks import Score
from text2image.pages.report.costs import cheapest, cost_words
from text2image.pages.report.figures import figure, headline_of, measured, percent
from text2image.pages.report.revisions import Key, Revision

NAMED = 3
"""Systems whose figures the sentence names, the best first."""


def best_sentences(revision: Revision) -> Iterator[str]:
    """Yield a sentence for each source that tests several systems; none where figures or comparisons are missing."""
    for source in dict.fromkeys(key.source for key in revision.keys):
        rows = {key.system: revision.row(key) for key in revision.keys if key.source == source}
        tested = {system: row for system, row in rows.items() if not row.get("circular")}
        measure = headline_of(next(iter(tested.values()), {}))
        if measure is None:
            continue
        scores = {system: score for system, row in tested.items() if (score := measured(row, str(measure)))}
        comparison = revision.comparison.get(source)
        if len(scores) < 2 or len(scores) < len(tested) or not isinstance(comparison, Mapping):
            continue
        names = sorted(scores, key=lambda name: -scores[name].value)
        if (better := _better(names, comparison, measure)) is not None:
            yield _sentence(revision, Key(names[0], source), measure, scores, better, names)


def _better(names: Sequence[str], comparison: Mapping[str, Any], measure: Measure) -> Booleans | None:
    """Return which of the systems are claimed to be better than which; None of another version's comparison."""
    try:
        return claimed_better(names, comparison, measure)
    except (KeyError, TypeError):
        return None


def _sentence(
    revision: Revision,
    best: Key,
    measure: Measure,
    scores: Mapping[str, Score],
    better: Booleans,
    names: Sequence[str],
) -> str:
    n_queries = figure(revision.row(best).get("n_queries"))
    others = [f"{name} for {_share(scores[name])}" for name in names[1:NAMED]]
    found = (
        f"On {best.source} labels, {best.system} shows a right image among the first {measure.k} for "
        f"{', '.join([f'{_share(scores[best.system])} of {n_queries} queries', *others])}"
    )
    alike = [name for name, worse in zip(names, better[0], strict=True) if not worse]
    told = (
        f"{best.system} is better than {'every other' if len(names) > 2 else names[1]}, beyond luck"
        if len(alike) == 1
        else f"{_list(alike)} cannot be told apart"
    )
    return "; ".join([found, told, *_fusions(revision, names, better), _costs(revision, alike, names)])


def _share(score: Score) -> str:
    if score.low is None or score.high is None:
        return percent(score.value)
    return f"{percent(score.value)} [{100 * score.low:.0f}, {100 * score.high:.0f}]"


def _list(names: Sequence[str]) -> str:
    """Return names as a sentence has them.

    >>> _list(["a"]), _list(["a", "b"]), _list(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _fusions(revision: Revision, names: Sequence[str], better: Booleans) -> Iterator[str]:
    """Yield what each fusion adds to the best of its parts, as far as that can be told; by its name if there are several."""
    best_parts = {}
    for name in names:
        parts = revision.param(f"systems.{name}.of")
        if inside := [one for one in names if isinstance(parts, list) and one in parts]:
            best_parts[name] = inside[0]
    for name, part in best_parts.items():
        fusing = "fusing" if len(best_parts) == 1 else f"fusing as {name}"
        if better[names.index(name), names.index(part)]:
            yield f"{fusing} adds to {part}"
        elif better[names.index(part), names.index(name)]:
            yield f"{fusing} takes from {part}"
        else:
            yield f"that {fusing} adds to {part} is not shown"


def _costs(revision: Revision, alike: Sequence[str], names: Sequence[str]) -> str:
    """Return what the best costs against the next, or which costs least of those that cannot be told apart."""
    if len(alike) > 1 and (least := cheapest(revision, alike)):
        return f"of these {least} costs least, by size and money: {cost_words(revision, least)}"
    compared = alike if len(alike) > 1 else names[:2]
    return "; ".join(f"{name} costs {cost_words(revision, name)}" for name in compared)
