"""Decoding on a page: what many threads take together."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.pictures import encoded, gradient
from text2image.collection.images import image_id
from text2image.collection.manifest import ImageFile
from text2image.pages.decoding import FILES, shown

MB = 1_000_000


def test_of_large_files_few_are_in_memory_at_once(tmp_path: Path) -> None:
    content = encoded(gradient()) + bytes(40 * MB)  # small to decode, and 400 MB where ten are read at once
    (tmp_path / "a.png").write_bytes(content)
    image = ImageFile(image_id(content), tmp_path / "a.png")
    del content
    tracemalloc.start()
    try:
        with ThreadPoolExecutor(10) as pool:
            pictures = set(pool.map(lambda _: shown(image, 320), range(10)))
        assert tracemalloc.get_traced_memory()[1] < FILES.amount + 50 * MB
    finally:
        tracemalloc.stop()
    assert len(pictures) == 1


def test_a_file_larger_than_all_that_may_be_read_is_read_alone(tmp_path: Path) -> None:
    content = encoded(gradient()) + bytes(FILES.amount + 1)
    (tmp_path / "a.png").write_bytes(content)
    assert shown(ImageFile(image_id(content), tmp_path / "a.png"), 320)[:2] == b"\xff\xd8"
