"""What changed between two revisions: the same queries, paired, for every system and label source."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from text2image.base.arrays import Integers
from text2image.evaluation.measures import Measure, compared, headline, of_best_ranks
from text2image.evaluation.statistics.comparison import Comparison, compare, verdict
from text2image.evaluation.statistics.randomisation import holm
from text2image.formats.tables import Row
from text2image.pages.report.revisions import Key, Revision
from text2image.queries.clusters import query_clusters


class Paired(NamedTuple):
    """The queries that both revisions have for one system and source.

    Attributes:
        texts: ``n`` texts, in the second revision's order.
        first, second: ``(n,)`` int64, the best rank of each query in each revision.
        clusters: ``(n,)`` int64; queries of one cluster in either revision share one here.
        unpaired: how many queries only the first has, and only the second.
    """

    texts: list[str]
    first: Integers
    second: Integers
    clusters: Integers
    unpaired: tuple[int, int]


class Change(NamedTuple):
    """What one measure did, second minus first revision; the headline measure has a p-value adjusted for its family."""

    key: Key
    measure: Measure
    before: float
    after: float
    comparison: Comparison
    adjusted_p: float | None


def pair(first: Sequence[Row], second: Sequence[Row]) -> Paired:
    """Pair the queries of two revisions by their ids, which follow from their texts."""
    before = {row["query_id"]: row for row in first}
    both = [(before[row["query_id"]], row) for row in second if row["query_id"] in before]
    n = len(both)
    ranks, groups = (
        np.array([[int(row[column]) for row in rows] for rows in both], dtype=np.int64).reshape(n, 2)
        for column in ("best_rank", "cluster")
    )
    # Each revision numbers its clusters for itself.
    distinct = groups + np.array([0, groups[:, 0].max(initial=0) + 1])
    clusters = query_clusters(np.repeat(np.arange(n), 2), distinct.ravel(), n)
    unpaired = (len(first) - n, len(second) - n)
    return Paired([row["text"] for _, row in both], ranks[:, 0], ranks[:, 1], clusters, unpaired)


def tested_in_both(first: Revision, second: Revision) -> list[Key]:
    """Return the systems and sources that both revisions measured, but for circular pairs, which compare with nothing."""
    return [
        key
        for key in second.keys
        if key in first.keys and not any(of.row(key).get("circular") for of in (first, second))
    ]


def pair_all(first: Revision, second: Revision) -> dict[Key, Paired]:
    """Pair the queries of every system and source that both revisions tested, and whose results both have."""
    keys = [k for k in tested_in_both(first, second) if second.results.get(k) and first.results.get(k)]
    return {key: pair(first.results[key], second.results[key]) for key in keys}


def find_changes(pairs: dict[Key, Paired], ks: Sequence[int], *, resamples: int, seed: int) -> list[Change]:
    """Compare the revisions by reciprocal rank and hit rate at each k.

    The systems of one source, by the headline measure, are a family with Holm's correction, as in comparison.json.
    """
    measures, spoken_of, changes = compared(ks), headline(ks), list[Change]()
    others = [measure for measure in measures if measure != spoken_of]
    how = {"resamples": resamples, "seed": seed}
    for source in dict.fromkeys(key.source for key in pairs):
        of_source = {key: pair for key, pair in pairs.items() if key.source == source and pair.texts}
        claims = [
            change
            for key, pair in of_source.items()
            for change in _changes(key, pair, [spoken_of], family=len(of_source), **how)
        ]
        adjusted = holm(np.array([claim.comparison.p_value for claim in claims]))
        changes += [claim._replace(adjusted_p=float(p)) for claim, p in zip(claims, adjusted, strict=True)]
        for key, pair in of_source.items():
            changes += _changes(key, pair, others, **how)
    return sorted(changes, key=lambda one: (list(pairs).index(one.key), measures.index(one.measure)))


def _changes(
    key: Key, pair: Paired, measures: Sequence[Measure], *, family: int = 0, resamples: int, seed: int
) -> list[Change]:
    """Return what each of the measures did: several at once share their draws and flips."""
    before, after = of_best_ranks(pair.first, measures), of_best_ranks(pair.second, measures)
    comparisons = compare(after, before, pair.clusters, family=family, resamples=resamples, seed=seed)
    means = zip(measures, before.mean(axis=0), after.mean(axis=0), comparisons, strict=True)
    return [Change(key, measure, float(a), float(b), one, None) for measure, a, b, one in means]


def change_sentence(first: str, second: str, paired: Paired, change: Change | None) -> str:
    """Return what can be said of one system and source by one measure; no change is None without a common query."""
    if change is None or change.adjusted_p is None:
        return "the revisions have no query in common, so their scores answer different questions"
    if np.array_equal(paired.first, paired.second):
        statement = (
            f"no change, as each of {len(paired.texts)} queries finds its image at the same rank in both"
        )
    else:
        statement = verdict(second, first, change.measure, change.comparison, change.adjusted_p)
    unpaired = [f"{n} only in {name}" for n, name in zip(paired.unpaired, (first, second), strict=True) if n]
    return f"{statement} (queries left out of this: {', '.join(unpaired)})" if unpaired else statement


def moved(paired: Paired, n: int) -> list[tuple[str, int, int]]:
    """Return ``(text, rank before, rank after)`` of the n queries that gained most, and the n that lost most."""
    gain = 1.0 / paired.second - 1.0 / paired.first
    order = np.argsort(-gain, kind="stable")
    chosen = [i for i in order[:n] if gain[i] > 0] + [i for i in order[::-1][:n][::-1] if gain[i] < 0]
    return [(paired.texts[i], int(paired.first[i]), int(paired.second[i])) for i in chosen]
