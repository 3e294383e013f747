"""Speeds: items a second, whatever the batches are."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from text2image.encoders import throughput
from text2image.encoders.throughput import (
    IMAGES,
    SIZE,
    QueryTime,
    milliseconds,
    query_time,
    rate,
    views_per_image,
    write_images,
)


def test_a_rate_is_that_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "WINDOW", 0.1)

    def embed(items: Sequence[int]) -> Iterator[tuple[Sequence[int], None]]:
        for start in range(0, len(items), 4):
            time.sleep(0.004 * len(items[start : start + 4]))
            yield items[start : start + 4], None

    median, low, high = rate(embed, range(3))
    assert low <= median <= high
    assert 50 < median <= 250, "4 ms an item, and what a busy machine adds"


def test_work_that_is_lost_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected 2 items embedded, found 1"):
        rate(lambda items: [(items[:1], None)], "ab")


def test_the_images_are_the_same_everywhere(tmp_path: Path) -> None:
    files = write_images(tmp_path)
    assert len(files) == IMAGES
    with Image.open(tmp_path / "0.jpg") as image:
        assert (image.format, image.size) == ("JPEG", SIZE)


def test_each_query_is_timed_once_after_a_warm_up() -> None:
    asked: list[str] = []

    def answer(query: str) -> None:
        asked.append(query)
        time.sleep(0.002)

    times = milliseconds(answer, ["a", "b"])
    assert asked == ["a", "b", "a", "a", "b"]
    assert len(times) == 2
    assert min(times) >= 2


def test_the_time_at_a_million_images_is_a_straight_line() -> None:
    few, many = [2.0] * 19 + [10.0], [3.0] * 20
    assert query_time("both", "cpu", (1_000, few), (11_000, many)) == QueryTime(
        "both", "1000", "cpu", "2", "2.4", "102"
    )
    assert query_time("m", "cpu", (1_000, many), (2_000, few)).million_ms == "3", "never less than here"
    assert query_time("m", "cpu", (0, [1.0]), (100, [2.23456])).million_ms == "12347"


def test_an_image_counts_with_its_views(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    assert views_per_image(manifest, ["whole"]) == 1.0
    assert views_per_image(manifest, ["whole", "tiles"]) == 3.0, "of a made-up image"
    manifest.write_text("image_id,path,rendering,width,height\na,1,,200,100\na,2,,200,100\nb,3,,100,100\n")
    assert views_per_image(manifest, ["whole", "tiles"]) == 2.0, "three of a and one of b"
