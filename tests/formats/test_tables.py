"""Tables and TREC files: what is written is what is read, here and by other tools."""

from __future__ import annotations

import csv
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, Success, nDCG

from text2image.base.console import InputError
from text2image.evaluation.measures import Measure, RankedQueries
from text2image.formats.files import atomic_write, keep_only, rounded
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.texts import Query
from text2image.formats.trec import read_qrels, read_queries, read_run, run_lines, write_qrels, write_queries
from text2image.retrieval.gallery import rank_gallery
from text2image.retrieval.runs import ranked_images, relevant_pairs


def test_cells_survive_whatever_they_hold(tmp_path: Path) -> None:
    cells = [
        "plain",
        'quo"te',
        "com,ma",
        "new\nline",
        "cr\rcr",
        "crlf\r\n",
        " padded ",
        "日本",
        "",
        "=1+1",
        "# x",
    ]
    write_csv(tmp_path / "t.csv", ["n", "cell"], enumerate(cells))
    assert [row["cell"] for row in read_csv(tmp_path / "t.csv", ["n", "cell"])] == cells


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns path, text .* found an empty file"),
        (b"path;text\n", "columns path, text .* found path;text"),
        (b"path,text\na\n", "expected 2 cells on line 2 .* found 1"),
        (b"path,text\na,b,c\n", "expected 2 cells on line 2 .* found 3"),
        (b'path,text\n"a,b\n', "UTF-8 CSV file"),
        (b"path,text\na,\xff\n", "UTF-8 CSV file"),
    ],
)
def test_malformed_tables_are_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_csv(tmp_path / "t.csv", ["path", "text"], key="label.human.path")
    assert "\n" not in str(caught.value)
    assert "label.human.path" in str(caught.value)


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_csv(tmp_path / "t.csv", [])


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_queries_and_qrels_come_back(tmp_path: Path) -> None:
    queries = [Query("q1", "a b", ("i1", "i2")), Query("q2", "日本", ("i1",))]
    write_queries(tmp_path / "q.tsv", queries)
    assert read_queries(tmp_path / "q.tsv") == {"q1": "a b", "q2": "日本"}
    qrels = {"q1": {"i1": 1, "i2": 3}, "q2": {"i1": 2}}
    write_qrels(tmp_path / "q.qrels", qrels)
    assert read_qrels(tmp_path / "q.qrels") == qrels


def test_tied_scores_are_written_in_the_order_of_their_ranks(tmp_path: Path) -> None:
    scores = np.array([0.5, 0.5, 0.5, np.nextafter(np.float32(0.5), np.float32(0)), -0.1, -0.1], np.float32)
    (tmp_path / "t.run").write_text("".join(run_lines("q", list("abcdef"), scores, "m")))
    read = read_run(tmp_path / "t.run")["q"]
    assert [image for image, _ in sorted(read, key=lambda item: -np.float32(item[1]))] == list("abcdef")
    assert len({np.float32(score) for _, score in read}) == 6


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
    measures = {"mrr": RR, "ndcg@10": nDCG @ 10}
    measures |= {f"hit_rate@{k}": Success @ k for k in (1, 5, 10)} | {
        f"recall@{k}": R @ k for k in (1, 5, 10)
    }
    theirs = ir_measures.calc_aggregate(
        measures.values(),
        ir_measures.read_trec_qrels(str(tmp_path / "q.qrels")),
        ir_measures.read_trec_run(str(tmp_path / "q.run")),
    )
    for name, measure in measures.items():
        mean = Measure.parse(name).per_query(ours).mean()
        assert mean == pytest.approx(theirs[measure], abs=1e-9), name


def test_figures_are_rounded_deeply() -> None:
    value = {"a": [np.float32(0.1), 1 / 3], "b": {"c": np.int64(3)}, "d": "x"}
    assert rounded(value, 4) == {"a": [0.1, 0.3333], "b": {"c": 3}, "d": "x"}


def test_a_run_is_read_as_far_as_it_is_wanted(tmp_path: Path) -> None:
    rows = [("q1", "a", 0.9), ("q1", "b", 0.8), ("q2", "c", 0.7), ("q2", "a", 0.6), ("q2", "b", 0.5)]
    path = tmp_path / "t.run"
    path.write_text("".join(f"{query} Q0 {image} 1 {score} m\n" for query, image, score in rows))
    assert read_run(path, depth=1) == {"q1": [("a", 0.9)], "q2": [("c", 0.7)]}
    assert read_run(path, depth=9, queries={"q2"}) == {"q2": [("c", 0.7), ("a", 0.6), ("b", 0.5)]}
    assert read_run(path) == {"q1": [("a", 0.9), ("b", 0.8)], "q2": [("c", 0.7), ("a", 0.6), ("b", 0.5)]}


CELLS = [
    "=1+1", "'=1+1", "''=1", "'", "'tis", "-0.25", "+1", "1e-5", "-", "-x", "'-0.25", "@a", "\t=1", "\r", "a=b", "",
]  # fmt: skip


def test_guarded_cells_come_back_and_numbers_stay(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("cell", "number"), [(cell, -0.25) for cell in CELLS])
    rows = read_csv(tmp_path / "t.csv", ("cell", "number"))
    assert [row["cell"] for row in rows] == CELLS
    assert {row["number"] for row in rows} == {"-0.25"}
    with (tmp_path / "t.csv").open(newline="") as file:
        written = [cell for cell, _ in csv.reader(file)][1:]
    assert written[:5] == ["'=1+1", "''=1+1", "'''=1", "'", "'tis"]
    assert written[5:8] == ["-0.25", "+1", "1e-5"]


def test_keep_only_removes_leftovers_and_empty_folders(tmp_path: Path) -> None:
    for name in ("a/1.csv", "a/2.csv", "b/c/1.csv", "3.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    keep_only(tmp_path, [tmp_path / "a" / "1.csv", tmp_path / "missing.csv"])
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "1.csv"]
