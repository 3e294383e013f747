"""The benchmarks' table, and that a benchmark runs; what they measure is not tested here."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from open_clip.transform import image_transform

from benchmarks import gpu, retrieval, words
from benchmarks.table import (
    Row,
    against,
    at_most,
    between,
    interleaved,
    markdown,
    read,
    reference,
    report,
    require,
    within,
    write,
)
from tests.support.pipeline import REPOSITORY
from text2image.encoders.models.load import EmbeddingModel


@pytest.fixture
def rows() -> list[Row]:
    base = reference("speed, of all", "loop", 4.0, 1.5)
    return [
        base,
        at_most(against(base, "ours", 2.0), 0.6),
        at_most(against(base, "theirs", 80.0), 10),
        within(reference("start", "nothing", 3.0), 2.5),
    ]


def test_ratios_and_what_is_asked_for(rows: list[Row]) -> None:
    assert [row.ratio for row in rows] == [1.0, 0.5, 20.0, 1.0]
    assert [row.held for row in rows] == [True, True, False, False]


def test_what_is_missed_ends_in_an_error(rows: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    assert report(iter(rows)) == rows
    assert (
        capsys.readouterr().out.splitlines()[2]
        == "theirs: 80 s, 20 times loop, asked: at most 10 times, MISSED"
    )
    require(rows[:2])
    with pytest.raises(SystemExit, match=r"theirs \(speed, of all\); nothing \(start\)"):
        require(rows)


def test_the_table_has_a_heading_for_each_part(rows: list[Row]) -> None:
    assert markdown(rows).splitlines()[2:] == [
        "| **speed, of all** | | | | | |",
        "| loop | 4 | 1 |  | 1.50 GiB |  |",
        "| ours | 2 | 0.5 | loop |  | at most 0.6 times |",
        "| theirs | 80 | 20 | loop |  | at most 10 times **(missed)** |",
        "| **start** | | | | | |",
        "| nothing | 3 | 1 |  |  | at most 2.5 s **(missed)** |",
    ]


def test_rows_are_read_as_they_were_written(rows: list[Row], tmp_path: Path) -> None:
    write(rows, tmp_path / "results.csv")
    assert read(tmp_path / "results.csv") == rows
    assert markdown(read(tmp_path / "results.csv")) == markdown(rows)


def test_what_takes_turns_takes_them() -> None:
    order: list[str] = []
    taken = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3)
    assert order == ["a", "b"] * 3
    assert set(taken) == {"a", "b"}


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the markers"):
        between("text", "table")


def test_exact_ranking_is_measured_beside_its_products(capsys: pytest.CaptureFixture[str]) -> None:
    products, ours, larger = retrieval.rows(n_images=3000, n_queries=20, only="exact")
    assert ours.reference == larger.reference == products.name
    assert ours.gib is not None
    assert "quartiles of the ranks: " in capsys.readouterr().out


def test_searches_by_words_are_asked_the_same_queries() -> None:
    own, sqlite = (next(name for name in words.CONTESTANTS if end in name) for end in ("`both`", "SQLite"))
    ours, theirs = (words.cost(name, n_images=400, n_queries=30) for name in (own, sqlite))
    assert ours.asked == theirs.asked == len(ours.ranks) == len(theirs.ranks) == 30
    assert sum(rank == 1 for rank in ours.ranks) >= 28
    assert sum(rank == 1 for rank in theirs.ranks) >= 28
    assert ours.gib > 0


def test_an_unknown_part_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "retrieval", "speed"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        "expected parts of startup, embedding, gpu, retrieval, words, metrics, checksums, scale, found speed"
        in done.stderr
    )


def test_the_gpu_benchmark_says_where_there_is_no_gpu(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert list(gpu.rows()) == []
    gpu.main([])
    said = capsys.readouterr()
    assert "no GPU of NVIDIA's here" in said.err
    assert "no GPU of NVIDIA's here" in said.out


def test_the_gpu_benchmark_names_the_module_whose_results_differ(tmp_path: Path) -> None:
    class Unsteady(torch.nn.Module):
        """Adds what it has been asked, as a kernel that adds up in the order of arrival."""

        calls = 0

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return pixels + 1e-3 * (self.calls == 7)

    class Network(torch.nn.Module):
        def __init__(self, middle: torch.nn.Module) -> None:
            super().__init__()
            self.first, self.middle = torch.nn.Conv2d(3, 2, 8, 8), middle
            self.last = torch.nn.Flatten()

        def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.last(self.middle(self.first(pixels)))
            return made

    bench = gpu.Bench(torch.device("cpu"), [], 1)
    transform = image_transform(is_train=False, image_size=16)
    for middle, expected in ((torch.nn.ReLU(), ""), (Unsteady(), "middle (Unsteady)")):
        model = EmbeddingModel("", Network(middle).eval(), transform, list)
        assert gpu.first_unsteady(model, bench) == expected


def test_others_are_measured_with_the_kernels_that_torch_takes_for_them() -> None:
    def state() -> tuple[bool, bool]:
        return torch.are_deterministic_algorithms_enabled(), torch.backends.cuda.cudnn_sdp_enabled()

    before = state()
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cuda.enable_cudnn_sdp(False)
        with gpu.any_kernels():
            assert state() == (False, True)
        assert state() == (True, False)
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cuda.enable_cudnn_sdp(before[1])


def test_the_table_of_a_card_says_what_was_missed() -> None:
    line = (
        gpu.Rate("ViT", "embed_images", 500.0).at_least(400, "400").at_least(600, "0.75 of the bound (800)")
    )
    text = gpu.table([line], [("2 of 9 rows differ", False)], "NVIDIA Card")
    assert "| ViT | embed_images | 500 | at least 400, 0.75 of the bound (800) (missed) |" in text
    assert "- 2 of 9 rows differ (missed)" in text
