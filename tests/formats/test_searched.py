"""The list of images that are searched."""

from pathlib import Path

import pytest

from text2image.formats.searched import read_searched, write_searched


@pytest.mark.parametrize(
    ("excluded", "rows"), [({"b", "x"}, [0, 2]), (set(), [0, 1, 2]), ({"a", "b", "c"}, [])]
)
def test_rows_are_those_of_the_whole_gallery(tmp_path: Path, excluded: set[str], rows: list[int]) -> None:
    path = tmp_path / "searched.csv"
    assert write_searched(path, ["a", "b", "c"], excluded) == len(rows)
    searched = read_searched(path)
    assert searched.rows.dtype == "int64"
    assert searched.rows.tolist() == rows
    assert searched.image_ids == [["a", "b", "c"][row] for row in rows]
