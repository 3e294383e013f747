"""The whole way from vectors to measures, against a public tool that reads our files."""

from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, Success, nDCG

from text2image.evaluation.measures import MRR, Measure
from text2image.evaluation.results import make_results, read_ranks
from text2image.formats.tables import write_csv
from text2image.formats.trec import read_qrels, write_qrels
from text2image.retrieval.gallery import rank_gallery
from text2image.retrieval.runs import RankRow, rank_queries, relevant_pairs


@pytest.mark.parametrize("tied", [False, True])
def test_measures_agree_with_ir_measures_on_our_own_files(tmp_path: Path, tied: bool) -> None:
    """Ranks, measures, qrels and runs through this package; the same from the files by a public tool."""
    generator = np.random.default_rng(5)
    shape = (30, 6)
    vectors = [generator.integers(-1, 2, shape) if tied else generator.normal(size=shape) for _ in range(2)]
    queries, images = (v.astype(np.float32) for v in vectors)
    image_ids = sorted(f"{number:016x}" for number in generator.integers(0, 2**60, 30))
    texts = {f"q{row:02}": f"text {row}" for row in range(30)}
    answers = (generator.choice(image_ids, 1 + row % 4, replace=False) for row in range(30))
    qrels = {
        query: {image: 1 + len(image) % 3 for image in some}
        for query, some in zip(texts, answers, strict=True)
    }
    write_qrels(tmp_path / "q.qrels", qrels)
    qrels = read_qrels(tmp_path / "q.qrels")
    pairs = relevant_pairs(texts, image_ids, qrels)
    rankings = rank_gallery(queries, images, pairs.rows, pairs.columns, 30)
    blocks = list(rank_queries("m", texts, image_ids, pairs, rankings))
    (tmp_path / "q.run").write_text("".join(line for lines, _ in blocks for line in lines))
    write_csv(tmp_path / "ranks.csv", RankRow._fields, [row for _, rows in blocks for row in rows])
    groups = {image_id: column for column, image_id in enumerate(image_ids)}
    ours = make_results(read_ranks(tmp_path / "ranks.csv"), groups, len(image_ids)).ranked
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
