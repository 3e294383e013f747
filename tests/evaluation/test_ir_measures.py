"""The whole way from vectors to measures, against a public tool that reads our files."""

from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, Success, nDCG

from text2image.evaluation.measures import MRR, Measure
from text2image.evaluation.ranked import RankedQueries
from text2image.formats.texts import Query
from text2image.formats.trec import read_qrels, run_lines, write_qrels
from text2image.retrieval.gallery import rank_gallery
from text2image.retrieval.runs import ranked_images, relevant_pairs


@pytest.mark.parametrize("tied", [False, True])
def test_measures_agree_with_ir_measures_on_our_own_files(tmp_path: Path, tied: bool) -> None:
    """Ranks, measures, qrels and runs through this package; the same from the files by a public tool."""
    generator = np.random.default_rng(5)
    shape = (30, 6)
    vectors = [generator.integers(-1, 2, shape) if tied else generator.normal(size=shape) for _ in range(2)]
    queries_matrix, images = (v.astype(np.float32) for v in vectors)
    image_ids = sorted(f"{number:016x}" for number in generator.integers(0, 2**60, 30))
    queries = [
        Query(f"q{row:02}", f"text {row}", tuple(generator.choice(image_ids, 1 + row % 4, replace=False)))
        for row in range(30)
    ]
    write_qrels(tmp_path / "q.qrels", {q.query_id: {i: 1 + len(i) % 3 for i in q.relevant} for q in queries})
    pairs = relevant_pairs([q.query_id for q in queries], image_ids, read_qrels(tmp_path / "q.qrels"))
    lines: list[str] = []
    ranked = []
    for ranking in rank_gallery(queries_matrix, images, pairs.rows, pairs.columns, 30, query_block=7):
        ranked += [item for item in ranked_images(ranking, pairs) if item.relevance]
        for row, (best, scores) in enumerate(zip(ranking.columns, ranking.scores, strict=True)):
            ids = [image_ids[column] for column in best]
            lines += run_lines(queries[ranking.queries.start + row].query_id, ids, scores, "m")
    (tmp_path / "q.run").write_text("".join(lines))
    ranked.sort()
    ours = RankedQueries(
        np.array([item.rank for item in ranked]),
        np.array([item.relevance for item in ranked]),
        np.bincount([item.row for item in ranked]),
        len(image_ids),
        np.arange(len(queries)),
    )
    measures = {MRR: RR, Measure("ndcg", 10): nDCG @ 10}
    for k in (1, 5, 10):
        measures |= {Measure("hit_rate", k): Success @ k, Measure("recall", k): R @ k}
    theirs = ir_measures.calc_aggregate(
        measures.values(),
        ir_measures.read_trec_qrels(str(tmp_path / "q.qrels")),
        ir_measures.read_trec_run(str(tmp_path / "q.run")),
    )
    for measure, its_name in measures.items():
        assert measure.per_query(ours).mean() == pytest.approx(theirs[its_name], abs=1e-9), measure
