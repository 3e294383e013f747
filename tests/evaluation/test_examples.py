"""Which queries are shown: by hand."""

import numpy as np
import pandas as pd

from text2image.evaluation.examples import (
    RankedImage,
    Ranking,
    choose_examples,
    extreme_queries,
    labelled_images,
    most_instructive,
    with_margins,
    with_reasons,
)
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.results import Results


def queries(*ranks: int, clusters: str = "0012", irrelevant: float = 0.25) -> pd.DataFrame:
    """Four queries a, b, c, d with scores that fall from 0.5."""
    n = len(ranks)
    return pd.DataFrame(
        {
            "query_id": [f"q{text}" for text in "abcd"],
            "text": list("abcd"),
            "n_relevant": [1] * n,
            "best_rank": ranks,
            "best_image": ["x"] * n,
            "best_relevant": np.linspace(0.5, 0.2, n),
            "best_irrelevant": [irrelevant] * n,
            "cluster": list(clusters),
        }
    )


def results(table: pd.DataFrame) -> Results:
    none = np.zeros(0, dtype=np.int64)
    return Results(table, RankedQueries(none, none, none, 9, none))


def test_the_best_and_the_worst_one_a_cluster() -> None:
    table = with_margins(queries(1, 1, 1, 7))
    assert extreme_queries(table, "best", 3)["text"].tolist() == ["a", "c", "d"], (
        "b is of the cluster of a, whose margin is larger"
    )
    assert extreme_queries(table, "worst", 2)["text"].tolist() == ["d", "c"], (
        "of those at rank 1 the smallest margin"
    )
    assert extreme_queries(table, "best", 1)["text"].tolist() == ["a"]
    alone = with_margins(queries(1, 1, 1, 1, irrelevant=np.nan))
    assert alone["margin"][0] == 0.0, "there is no irrelevant image to be above"


def test_the_most_instructive_queries_are_those_on_which_models_differ() -> None:
    tables = {"x": queries(1, 1, 7, 2), "y": queries(1, 9, 7, 1), "z": queries(2, 5, 7, 4)}
    assert most_instructive(tables, 5) == [(1, "x", "y"), (3, "y", "z")], (
        "one a cluster, none on which all agree"
    )
    assert len(most_instructive(tables, 1)) == 1
    assert most_instructive({"x": queries(1, 2, 3, 4)}, 5) == []


def test_pictures_of_a_query_by_hand() -> None:
    tables = {"m": results(queries(1, 2, 3, 4)), "n": results(queries(1, 1, 1, 1))}
    run = {f"q{text}": [(image, 0.5) for image in "wxyzuv"] for text in "abcd"}
    qrels = {f"q{text}": {"x": 2, "v": 2} for text in "abcd"}
    carriers = {f"q{text}": ("v",) for text in "abcd"}
    own: dict[str, dict[str, RankedImage]] = {"m": {"qa": RankedImage("v", 6, 0.4)}, "n": {}}
    rankings = {system: Ranking(table, run, own[system]) for system, table in tables.items()}
    pictures = list(choose_examples(rankings, qrels, carriers, best=1, worst=1, instructive=1))
    sheets = [(p.sheet, p.system, p.query_id) for p in pictures[::6]]
    assert sheets == [
        ("best", "m", "qa"), ("worst", "m", "qd"), ("best", "n", "qa"), ("worst", "n", "qd"),
        ("instructive", "n", "qd"), ("instructive", "m", "qd"),
    ]  # fmt: skip
    first = pictures[:6]
    assert [(p.place, p.image_id, p.rank, p.relevant, p.labelled) for p in first] == [
        (0, "v", 6, 1, 1), (1, "w", 1, 0, 0), (2, "x", 2, 1, 0), (3, "y", 3, 0, 0), (4, "z", 4, 0, 0), (5, "u", 5, 0, 0),
    ], "the text was made from v; x is only like it, though it ranks better"  # fmt: skip
    assert first[0][3:9] == ("a", 1, 1, 9, "0.250000", 0)
    rows = [{"query_id": "qa", "image_id": "x", "why": '{"view": "tile 1 of 2"}'}]
    told = list(with_reasons(pictures, lambda system: rows if system == "m" else []))
    assert [p.why for p in told[:6]] == ["{}", "{}", '{"view": "tile 1 of 2"}', "{}", "{}", "{}"]
    assert {p.why for p in told[12:]} == {"{}"}, "of another query, or of another system"
    worst = pictures[6]
    assert (worst.image_id, worst.rank, worst.labelled) == ("x", 4, 0), "no own image of it is searched"
    alone = choose_examples({"m": rankings["m"]}, qrels, carriers, best=1, worst=1, instructive=1)
    assert {p.sheet for p in alone} == {"best", "worst"}
    circular = rankings | {"n": rankings["n"]._replace(circular=True)}
    shown = choose_examples(circular, qrels, carriers, best=1, worst=1, instructive=1)
    assert {p.sheet for p in shown} == {"best", "worst"}, "nothing is compared with a circular model"


def test_the_image_that_a_text_was_made_from_by_hand() -> None:
    """Of several the best ranked; none where it was judged irrelevant, or is not searched."""
    rows = [
        ("qa", "twin", 2, 1, 0.9), ("qa", "own", 2, 7, 0.5), ("qa", "own too", 2, 4, 0.6), ("qa", "no", 0, 2, 0.8),
        ("qb", "twin", 2, 3, 0.4), ("qb", "judged wrong", 0, 1, 0.5),
    ]  # fmt: skip
    ranks = pd.DataFrame(rows, columns=["query_id", "image_id", "relevance", "rank", "score"])
    carriers = {"qa": ("own", "own too"), "qb": ("judged wrong", "not searched")}
    assert labelled_images(ranks, carriers) == {"qa": RankedImage("own too", 4, 0.6)}
    assert labelled_images(ranks[:0], carriers) == {}
