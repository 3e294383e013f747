"""What a report says: pairs of revisions, changes, conclusions, judgements, parameters."""

from typing import Any

import numpy as np
import pytest

from text2image.base.console import InputError
from text2image.evaluation.statistics.comparison import compare
from text2image.pages.report.blocks import Score, Sentences, SheetBlock, Table
from text2image.pages.report.changes import find_changes, moved, pair
from text2image.pages.report.conclusions import conclusions
from text2image.pages.report.parameters import parameter_sections, used
from text2image.pages.report.revisions import Key, Revision, parse
from text2image.pages.report.sections import build
from text2image.pages.report.tables import judgement_table, label_tables, measure_tables


def test_revisions_are_named_singly_or_in_pairs() -> None:
    assert parse("main") == ["main"]
    assert parse("v1.0..feature/x") == ["v1.0", "feature/x"]
    for wrong in ("", "..", "main..", "..main", "a...b", "a..b..c"):
        with pytest.raises(InputError, match=r"expected a revision or REV_A\.\.REV_B"):
            parse(wrong)
    with pytest.raises(InputError, match="two different revisions"):
        parse("main..main")


def rows(ranks: dict[str, int], clusters: dict[str, int] | None = None) -> list[dict[str, str]]:
    return [
        {
            "query_id": q,
            "text": f"text {q}",
            "best_rank": str(rank),
            "cluster": str((clusters or {}).get(q, i)),
        }
        for i, (q, rank) in enumerate(ranks.items())
    ]


def test_queries_are_paired_by_id_and_share_the_clusters_of_both_revisions() -> None:
    first = rows({"a": 1, "b": 2, "c": 3, "e": 3, "gone": 4}, {"a": 0, "b": 0, "c": 1, "e": 2, "gone": 3})
    second = rows({"c": 5, "b": 2, "new": 1, "a": 7, "e": 1}, {"c": 0, "b": 0, "new": 3, "a": 2, "e": 1})
    paired = pair(first, second)
    assert paired.texts == ["text c", "text b", "text a", "text e"]
    assert (paired.first.tolist(), paired.second.tolist()) == ([3, 2, 1, 3], [5, 2, 7, 1])
    assert paired.clusters.tolist() == [0, 0, 0, 1]  # c and b in the second, b and a in the first
    assert paired.unpaired == (1, 1)
    assert pair(rows({"a": 1}), rows({"b": 1})).texts == []


def test_changes_are_those_of_the_paired_comparison() -> None:
    generator = np.random.default_rng(5)
    before = {f"q{i}": int(r) for i, r in enumerate(generator.integers(1, 40, 60))}
    after = {q: max(1, r - int(generator.integers(0, 12))) for q, r in before.items()}
    paired = pair(rows(before), rows(after))
    changes = find_changes({Key("m", "s"): paired}, [5], resamples=2000, seed=1)
    assert [str(change.measure) for change in changes] == ["mrr", "hit_rate@5"]
    ranks = np.array(list(zip(before.values(), after.values(), strict=True)), dtype=float)
    expected = compare(1 / ranks[:, 1:], 1 / ranks[:, :1], np.arange(60), resamples=2000, seed=1)[0]
    assert changes[0].comparison == pytest.approx(expected)
    assert changes[0].before == pytest.approx((1 / ranks[:, 0]).mean())
    best = max(before, key=lambda q: 1 / after[q] - 1 / before[q])
    assert moved(paired, 2)[0] == (f"text {best}", before[best], after[best])


def revision(name: str, ranks: dict[str, int], **measures: float | None) -> Revision:
    row: dict[str, Any] = {"n_queries": len(ranks), "n_images": 50, "chance": {"hit_rate@5": 0.1}} | measures
    return Revision(
        name,
        params={
            "evaluate": {"k": [5], "resamples": 2000, "seed": 1},
            "label": {"sources": ["s"], "s": {"x": 1}, "t": {"x": 2}},
            "runtime": {},
        },
        dataset={"images": 50},
        metrics={"m": {"s": row}},
        results={Key("m", "s"): rows(ranks)} if ranks else {},
    )


def said(*revisions: Revision) -> str:
    blocks = conclusions(revisions)
    return "\n".join(s for block in blocks if isinstance(block, Sentences) for s in block.sentences)


def test_conclusions_claim_no_more_than_the_data() -> None:
    score = {"hit_rate@5": 0.6, "hit_rate@5_low": 0.5, "hit_rate@5_high": 0.7}
    good = revision("new", {f"q{i}": 1 for i in range(60)}, **score)
    bad = revision("old", {f"q{i}": 9 for i in range(60)} | {"lost": 1}, **score)
    told = said(bad, good)
    assert "new finds the image in the top 5 more often than old: +1.0" in told
    assert "(queries left out of this: 1 only in old)" in told
    assert "no change, as each of 60 queries finds its image at the same rank in both" in said(good, good)
    other = revision("old", {"p": 1}, **score)
    assert "no query in common" in said(other, good)
    unknown = revision("old", {}, **score)
    assert "the intervals overlap" in said(unknown, good)
    far = revision("old", {}, **{"hit_rate@5": 0.2, "hit_rate@5_low": 0.1, "hit_rate@5_high": 0.3})
    assert "the intervals do not overlap" in said(far, good)
    assert "a measure, its interval or the queries' rows are missing" in said(revision("old", {}), good)
    assert "for 60\xa0% of 60 queries (95 % interval 50\xa0% to 70\xa0%; by chance 10\xa0%)" in said(good)
    few = revision("few", {"q": 1}, **{"hit_rate@5": 1.0, "hit_rate@5_low": 0.3, "hit_rate@5_high": 1.0})
    assert "with so few independent queries this says little" in said(few)
    none = revision(
        "none", {"q": 1}, n_clusters=3, **{"hit_rate@5": 1.0, "hit_rate@5_low": None, "hit_rate@5_high": None}
    )
    assert (
        "of 1 queries (by chance 10\xa0%), searching 50 images; so few independent queries (3) have no interval"
        in said(none)
    )
    luck = revision("luck", {"q": 1}, **{"hit_rate@5": 0.1, "hit_rate@5_low": 0.05, "hit_rate@5_high": 0.2})
    assert "this cannot be told from chance" in said(luck)


def test_kinds_of_queries_have_a_table_a_source_in_both_revisions() -> None:
    figures = {
        "n_queries": 7,
        "n_clusters": 6,
        "mrr": 0.5,
        "mrr_low": 0.4,
        "mrr_high": 0.6,
        "chance": {"mrr": 0.1},
    }
    first, second = (revision(name, {"q1": 1}, mrr=0.3, mrr_low=0.2, mrr_high=0.4) for name in ("old", "new"))
    assert [table.heading for table in measure_tables([first])] == [
        "How often, and how high, the right image is found"
    ]
    for of in (first, second):
        of.metrics["m"]["s"] |= {"kinds": {"<b>": figures | {"mrr": 0.2}, "product": figures}}
    [_, table] = measure_tables([first])
    assert table.heading == "By kind of query: s labels"
    assert table.columns == ["kind", "system", "queries", "independent", "MRR"]
    assert table.rows == [
        ["<b>", "m", "7", "6", Score(0.2, 0.4, 0.6, 0.1)],
        ["product", "m", "7", "6", Score(0.5, 0.4, 0.6, 0.1)],
    ]
    [_, table] = measure_tables([first, second])
    assert [row[:3] for row in table.rows] == [
        ["<b>", "m", "old"], ["<b>", "m", "new"], ["product", "m", "old"], ["product", "m", "new"],
    ]  # fmt: skip


def test_a_circular_pair_is_marked_and_no_sentence_speaks_of_its_score() -> None:
    score = {"hit_rate@5": 1.0, "hit_rate@5_low": 0.9, "hit_rate@5_high": 1.0}
    one = revision("new", {f"q{i}": 1 for i in range(60)}, **score)
    other = revision("old", {f"q{i}": 9 for i in range(60)}, **score)
    for of in (one, other):
        of.metrics["m"]["s"] |= {"circular": True, "why_circular": "labels and model share resnet"}
    assert "s labels do not test m: labels and model share resnet" in said(one)
    assert "100\xa0%" not in said(one)
    assert "+1.0" not in said(other, one), "and revisions are not compared by it"
    assert not any(isinstance(block, Table) for block in conclusions([other, one]))
    [table] = measure_tables([one])
    assert table.rows[0][1] == "m (circular)"
    assert table.note.startswith("Circular: ")


def test_weak_labels_and_sources_that_disagree_are_said_to_be_so() -> None:
    one = revision("new", {"q": 1})
    one.metrics |= {"n": one.metrics["m"]}
    one.sources = {
        "sources": {
            "s": {"written_by": [], "n_queries": 3, "n_fragments": 2, "findings": ["3 queries are few"]}
        },
        "rank_correlation": {"s ~ t": {"summary": "s and t order the 2 systems alike"}},
    }
    assert "s labels are a weak test: 3 queries are few" in said(one)
    assert "Between label sources: s and t order the 2 systems alike" in said(one)
    [table] = label_tables([one])
    assert list(table.rows[0]) == ["s", "people", "3", "–", "2", "–"]
    one.sources = {"sources": 1, "rank_correlation": []}
    assert label_tables([one]) == [], "another version may have written anything"


def test_judgements_are_counted_once_there_are_any() -> None:
    judged = revision("new", {"q": 1})
    judged.judgements = {
        "results": {"m": {"s": {"judged@1": 1.0, "judged@5": 0.25}}},
        "sources": {"s": {"by_people": 7, "by_models": 0, "by_both": 0, "kappa_quadratic": None}},
    }
    table = judgement_table([judged])
    assert table is not None
    assert list(table.rows[0]) == ["s", "7", "0", "0", "–", "m @1 100\xa0%, m @5 25\xa0%"]
    judged.judgements["sources"]["s"]["by_people"] = 0
    assert judgement_table([judged]) is None


def test_parameters_in_use_and_what_differs() -> None:
    first, second = revision("a", {}), revision("b", {})
    second.params = second.params | {
        "evaluate": first.params["evaluate"] | {"k": [5, 10]},
        "runtime": {"device": "cpu"},
    }
    differ, in_use = parameter_sections([first, second])
    [table] = differ.blocks
    assert isinstance(table, Table)
    assert [list(row) for row in table.rows] == [
        ["evaluate.k", "[5]", "[5, 10]"],
        ["runtime", "{}", "–"],
        ["runtime.device", "–", "cpu"],
    ]
    [table] = in_use.blocks
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == [
        "evaluate.k",
        "evaluate.resamples",
        "evaluate.seed",
        "label.sources",
        "label.s.x",
    ]
    assert parameter_sections([first, first])[0].intro == "The parameters are the same in both revisions."


def test_systems_in_use_and_what_they_are_made_of_are_parameters_in_use() -> None:
    one = revision("a", {})
    one.params |= {
        "retrieve": {"systems": ["judged"], "fields": ["t"]},
        "systems": {
            "judged": {"kind": "rerank", "of": "both"},
            "both": {"kind": "fusion", "of": ["m", "words"]},
            "words": {"kind": "words"},
            "other": {"kind": "words"},
        },
    }
    kept = used(one)
    assert list(kept["systems"]) == ["judged", "both", "words"]
    assert list(kept["label"]) == ["sources", "s", "t"], "the source of a field in use, too"


def test_a_comparison_uses_the_resamples_and_the_seed_of_the_second_revision() -> None:
    first, second = (
        revision("a", {f"q{i}": 9 for i in range(9)}),
        revision("b", {f"q{i}": i + 1 for i in range(9)}),
    )
    tables = []
    for resamples, seed in ((2000, 1), (2000, 1), (2000, 2)):
        second.params["evaluate"] = {"k": [5], "resamples": resamples, "seed": seed}
        tables.append(conclusions([first, second])[1])
    assert tables[0] == tables[1] != tables[2]
    del second.params["evaluate"]["seed"]
    with pytest.raises(
        InputError, match=r"expected evaluate\.k, .* in params\.yaml of b, found \{'k': \[5\]"
    ):
        conclusions([first, second])


def test_sheets_stand_by_what_they_show() -> None:
    names = (
        "audit/human.png", "examples/human/builtin-best.png", "examples/human/instructive.png",
        "labels/human.png", "near_identical.png", "of/mine.png",
    )  # fmt: skip
    report = build([revision("a", {})], [], [SheetBlock(f"plots/{name}", []) for name in names])
    shown = {
        section.title: [block.path for block in section.blocks if isinstance(block, SheetBlock)]
        for section in report.sections
    }
    assert [paths for paths in shown.values() if paths] == [
        ["plots/near_identical.png"],
        ["plots/labels/human.png"],
        ["plots/examples/human/instructive.png"],
        ["plots/examples/human/builtin-best.png"],
        ["plots/audit/human.png"],
        ["plots/of/mine.png"],
    ]


def test_sources_that_are_left_out_are_named_with_the_reason() -> None:
    one = revision("one", {"q": 1}, mrr=0.5)
    assert "Label sources that are left out of all figures" not in headings(one)
    one.left_out_sources = {
        "imagenet": "no image has a label (40: confidence below label.imagenet.threshold)"
    }
    assert headings(one)["Label sources that are left out of all figures"] == [
        "imagenet: no image has a label (40: confidence below label.imagenet.threshold)"
    ]


def headings(*revisions: Revision) -> dict[str, list[str]]:
    """Return the sentences of the conclusions by their headings."""
    return {
        block.heading: list(block.sentences)
        for block in conclusions(revisions)
        if isinstance(block, Sentences)
    }


def test_what_is_to_be_known_of_the_texts_stands_with_the_labels() -> None:
    one, other = revision("one", {"q": 1}, mrr=0.5), revision("other", {"q": 1}, mrr=0.5)
    assert labels_said(one) == []
    one.remarks = {"s": ["12 of 3,000 rows name no image (first: line 17, 0/Zürich.jpg)"]}
    one.readings = {
        Key("clip", "s"): {"queries": 240, "context_length": 77, "cut": 12, "groups_of_one_vector": 3}
    }
    rows_lost = "s: 12 of 3,000 rows name no image (first: line 17, 0/Zürich.jpg)."
    cut = (
        "s: 12 of 240 queries are read by clip to their 77th token only; 3 groups of different texts have one vector by "
        "clip (0 queries)."
    )
    assert labels_said(one) == [rows_lost, cut]
    assert labels_said(other, one) == [f"one, {rows_lost}", f"one, {cut}"]


def labels_said(*revisions: Revision) -> list[str]:
    sections = {section.title: section.blocks for section in build(revisions, [], []).sections}
    blocks = sections.get("Labels", [])
    return [one for block in blocks if isinstance(block, Sentences) for one in block.sentences]


def test_what_is_out_of_date_stands_before_everything_else() -> None:
    one = revision("one", {"q": 1}, mrr=0.5)
    assert build([one], [], []).sections[0].title == "What was run"
    one.outdated = [
        "What evaluate wrote is out of date, since params key evaluate changed; `dvc repro` makes it anew"
    ]
    first = build([one], [], []).sections[0]
    assert (first.title, first.blocks) == ("Out of date", [Sentences([f"one: {one.outdated[0]}"])])
