"""Measures of 100,000 queries with 100 images each, against other evaluators: ``python -m benchmarks.metrics``.

The reciprocal rank, the hit rate, recall and nDCG of every query. Ours are computed from the array of exact ranks
that retrieval leaves; the others take rankings with scores as dictionaries, which are made beforehand. ranx
compiles at its first use, which is timed on its own, and so is the making of its objects. All must agree.
"""

from collections.abc import Iterator

import ir_measures
import numpy as np
import pytrec_eval
from ir_measures import RR, R, Success, nDCG

from benchmarks.table import Row, against, reference, report, seconds
from text2image.evaluation.measures import per_query, reported
from text2image.evaluation.ranked import RankedQueries

N_QUERIES, DEPTH, K = 100_000, 100, 10
PART = f"measures of {N_QUERIES:,} queries, {DEPTH} images each"


def ranked_queries(generator: np.random.Generator) -> RankedQueries:
    """Return one to three relevant images a query, at distinct ranks among the first ``DEPTH``."""
    n_relevant = generator.integers(1, 4, N_QUERIES)
    position = np.arange(n_relevant.sum()) - np.repeat(np.cumsum(n_relevant) - n_relevant, n_relevant)
    ranks = np.repeat(generator.integers(1, DEPTH // 3, N_QUERIES), n_relevant) + position * (DEPTH // 3)
    return RankedQueries(ranks, np.ones_like(ranks), n_relevant, DEPTH, np.arange(N_QUERIES))


def dictionaries(queries: RankedQueries) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Return the same as qrels and rankings."""
    images = [f"{number:016x}" for number in range(DEPTH)]
    scores = {image: 1.0 - place / DEPTH for place, image in enumerate(images)}
    parts = np.split(queries.ranks, np.cumsum(queries.n_relevant)[:-1])
    qrels = {f"q{number}": {images[rank - 1]: 1 for rank in part} for number, part in enumerate(parts)}
    return qrels, {query: dict(scores) for query in qrels}


def rows() -> Iterator[Row]:
    """Yield the rows of the table.

    Raises:
        AssertionError: an evaluator measures something else.
    """
    import ranx

    queries = ranked_queries(np.random.default_rng(0))
    ours = min(seconds(lambda: per_query(queries, reported([K]))) for _ in range(3))
    base = reference(PART, "from exact ranks (ours)", ours)
    yield base
    qrels, run = dictionaries(queries)
    expected = per_query(queries, reported([K])).mean().tolist()

    names = {"recip_rank", f"success_{K}", f"recall_{K}", f"ndcg_cut_{K}"}
    found: list[float] = []

    def by_pytrec_eval() -> None:
        values = pytrec_eval.RelevanceEvaluator(qrels, names).evaluate(run)
        order = ("recip_rank", f"success_{K}", f"recall_{K}", f"ndcg_cut_{K}")
        found[:] = [float(np.mean([value[name] for value in values.values()])) for name in order]

    yield against(base, "pytrec_eval", seconds(by_pytrec_eval))
    np.testing.assert_allclose(found, expected, atol=1e-6)

    def by_ir_measures() -> None:
        wanted = [RR, Success @ K, R @ K, nDCG @ K]
        values = ir_measures.calc_aggregate(wanted, qrels, run)
        found[:] = [values[measure] for measure in wanted]

    yield against(base, "ir_measures", seconds(by_ir_measures))
    np.testing.assert_allclose(found, expected, atol=1e-6)

    def by_ranx() -> None:
        values = ranx.evaluate(*objects, ["mrr", f"hit_rate@{K}", f"recall@{K}", f"ndcg@{K}"])
        found[:] = [float(value) for value in values.values()]

    objects: list[object] = []
    making = seconds(lambda: objects.extend([ranx.Qrels(qrels), ranx.Run(run)]))
    yield against(base, "ranx, making its objects", making)
    yield against(base, "ranx, the first time, with compiling", seconds(by_ranx))
    yield against(base, "ranx, after that", seconds(by_ranx))
    np.testing.assert_allclose(found, expected, atol=1e-6)


if __name__ == "__main__":
    report(rows())
