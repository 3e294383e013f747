"""What a report says in plain words: what changed, how well each system does, which of them is better."""

from collections.abc import Mapping, Sequence

import numpy as np

from text2image.evaluation.measures import headline
from text2image.evaluation.statistics.comparison import Comparison
from text2image.pages.report.best import best_sentences
from text2image.pages.report.blocks import Block, Sentences, Table
from text2image.pages.report.changes import (
    Change,
    Paired,
    change_sentence,
    find_changes,
    moved,
    pair_all,
    tested_in_both,
)
from text2image.pages.report.figures import UNKNOWN, figure, headline_of, items, measured, percent
from text2image.pages.report.revisions import Key, Revision

WIDE = 0.4
"""An interval wider than this says that there were too few queries."""

MOVED = 3
"""Queries that gained most, and that lost most, for each system and source."""


def conclusions(revisions: Sequence[Revision]) -> list[Block]:
    """Return the conclusions on one revision, or on two (the first is the older)."""
    last, many = revisions[-1], len(revisions) == 2
    blocks: list[Block] = _changed(*revisions) if many else []
    sentences = [sentence for key in last.keys if (sentence := performance_sentence(last, key))]
    where = f" ({last.name})" if many else ""
    blocks.append(
        Sentences(list(best_sentences(last)), f"What finds the right image, and what it costs{where}")
    )
    blocks.append(Sentences(sentences, f"How well each system finds the right image{where}"))
    blocks.append(Sentences(_weaknesses(last), f"What these labels cannot test{where}"))
    for revision in revisions:
        where = f" ({revision.name})" if many else ""
        unasked = [f"{source}: {why}" for source, why in revision.left_out_sources.items()]
        blocks.append(Sentences(unasked, f"Label sources that are left out of all figures{where}"))
    for revision in revisions:
        where = f" ({revision.name})" if many else ""
        blocks.append(Sentences(_compared(revision, many), f"Which system is better{where}"))
    return [block for block in blocks if not isinstance(block, Sentences) or block.sentences]


def performance_sentence(revision: Revision, key: Key) -> str:
    """Return one sentence on a system and source, with its interval, chance level and numbers.

    There is none where the measures are not there, and none of a circular pair, which is no test.
    """
    row = revision.row(key)
    measure = headline_of(row)
    score = measured(row, str(measure))
    if measure is None or score is None or row.get("circular"):
        return ""
    known = score.low is not None and score.high is not None
    interval = f"95 % interval {percent(score.low)} to {percent(score.high)}; " if known else ""
    sentence = (
        f"On {key.source} labels, {key.system} shows a right image among the first "
        f"{measure.k} for {percent(score.value)} of {figure(row.get('n_queries'))} queries "
        f"({interval}by chance {percent(score.chance)}), "
        f"searching {figure(row.get('n_images'))} images"
    )
    if score.low is None or score.high is None:
        n_clusters = figure(row.get("n_clusters"))
        return (
            f"{sentence}; so few independent queries ({n_clusters}) have no interval, and say next to nothing"
        )
    if score.high - score.low > WIDE:
        return f"{sentence}; with so few independent queries this says little"
    if score.chance is not None and score.low <= score.chance:
        return f"{sentence}; this cannot be told from chance"
    return sentence


def _weaknesses(revision: Revision) -> list[str]:
    """Return which labels test little, and which pairs of labels and system are no test at all."""
    weak = [
        f"{source} labels are a weak test: {finding}"
        for source, row in items(revision.sources.get("sources"))
        for finding in row.get("findings", [])
    ]
    untested = [
        f"{key.source} labels do not test {key.system}: {why}"
        for key in revision.keys
        if (why := revision.row(key).get("why_circular"))
    ]
    return [*weak, *untested]


def _compared(revision: Revision, many: bool) -> list[str]:
    """Return how systems compare by each source, and whether sources agree; or that there is one system only."""
    if len({key.system for key in revision.keys}) < 2:
        return (
            [] if many or not revision.keys else ["There is one system only, so nothing to compare it with"]
        )
    compared = [
        f"On {source} labels: {statement}"
        for source, row in items(revision.comparison)
        for statement in row.get("summary", [])
    ]
    orders = items(revision.sources.get("rank_correlation"))
    return [*compared, *(f"Between label sources: {row.get('summary', UNKNOWN)}" for _, row in orders)]


def _changed(first: Revision, second: Revision) -> list[Block]:
    """Return what changed for each system and source: sentences, a table of measures, the queries that moved."""
    pairs, (ks, resamples, seed) = pair_all(first, second), second.evaluate()
    changes = find_changes(pairs, ks, resamples=resamples, seed=seed)
    spoken_of = {change.key: change for change in changes if change.measure == headline(ks)}
    names, sentences = (first.name, second.name), []
    for key in tested_in_both(first, second):
        told = (
            change_sentence(*names, pairs[key], spoken_of.get(key))
            if key in pairs
            else _interval_sentence(first, second, key)
        )
        sentences.append(f"On {key.source} labels, {key.system}: {told}")
    sentences += _differing_inputs(first, second)
    tables = [_change_table(*names, pairs, changes), _moved_table(*names, pairs)]
    return [Sentences(sentences, "What changed"), *(table for table in tables if table.rows)]


def _differing_inputs(first: Revision, second: Revision) -> list[str]:
    """Return what keeps the revisions from being compared in full: systems or sources of one alone, galleries."""
    sentences = [
        f"On {key.source} labels, {key.system} was measured in {only.name} only"
        for only, other in ((first, second), (second, first))
        for key in only.keys
        if key not in other.keys
    ]
    sizes = [revision.dataset.get("images") for revision in (first, second)]
    if None not in sizes and sizes[0] != sizes[1]:
        sentences.append(
            f"The galleries differ ({figure(sizes[0])} images in {first.name}, {figure(sizes[1])} in "
            f"{second.name}): part of every difference may come from that"
        )
    return sentences


def _interval_sentence(first: Revision, second: Revision, key: Key) -> str:
    """Return what the intervals of two revisions say, where the rows of single queries are missing."""
    measure = headline_of(second.row(key))
    scores = [measured(revision.row(key), str(measure)) for revision in (first, second)]
    ends = [end for score in scores if score for end in (score.low, score.high) if end is not None]
    if measure is None or len(ends) < 4:
        return (
            "the revisions cannot be compared, since a measure, its interval or the queries' rows are missing"
        )
    shown = [
        f"{percent(score.value)} [{percent(score.low)}, {percent(score.high)}] in {revision.name}"
        for score, revision in zip(scores, (first, second), strict=True)
        if score
    ]
    overlap = ends[0] <= ends[3] and ends[2] <= ends[1]
    verdict = "overlap, so the revisions cannot be told apart by them" if overlap else "do not overlap"
    return (
        f"{measure.title} {', '.join(shown)}; the intervals {verdict} "
        "(the rows of single queries, which would tell more, are missing)"
    )


def _change_table(first: str, second: str, pairs: Mapping[Key, Paired], changes: Sequence[Change]) -> Table:
    rows = [
        [
            *(key.source, key.system, measure.title, figure(comparison.n_queries)),
            *(f"{before:.3f}", f"{after:.3f}"),
            *(_difference(comparison), f"{comparison.p_value:.3f}", UNKNOWN if p is None else f"{p:.3f}"),
        ]
        for key, measure, before, after, comparison, p in changes
        if not np.array_equal(pairs[key].first, pairs[key].second)
    ]
    heads = ["labels", "system", "measure", "queries in both", first, second, "difference", "p", "p (Holm)"]
    note = (
        "Paired, over the queries that both revisions have, with 95 % intervals; p of a randomisation test, and the same "
        "after Holm's correction for all systems on these labels, by the one measure that sentences speak of. Systems and "
        "labels without any change are left out."
    )
    return Table(heads, rows, range(3, 9), "The same queries, before and after", note)


def _difference(comparison: Comparison) -> str:
    difference, low, high = comparison[:3]
    interval = "" if low is None or high is None else f" [{low:+z.3f}, {high:+z.3f}]"
    return f"{difference:+z.3f}{interval}"


def _moved_table(first: str, second: str, pairs: Mapping[Key, Paired]) -> Table:
    rows = [
        (text, key.source, key.system, str(before), str(after))
        for key, paired in pairs.items()
        for text, before, after in moved(paired, MOVED)
    ]
    heads = ["query", "labels", "system", f"rank in {first}", f"rank in {second}"]
    return Table(heads, rows, range(3, 5), "Queries that moved most")
