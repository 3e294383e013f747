"""Which parts of an image a model sees, and what becomes of their vectors."""

from pathlib import Path

import numpy as np
import pytest

from text2image.base.console import InputError
from text2image.collection.manifest import Box, ImageFile, ManifestEntry
from text2image.encoders.settings import VIEWS, Model
from text2image.encoders.views import combine_views, mean_views, view_files, views_of
from text2image.formats.views import ViewRow


def boxes(width: int, height: int, kind: str) -> list[Box | None]:
    return [view.box for view in views_of(width, height, [kind])]


@pytest.mark.parametrize(
    ("size", "count"),
    [((728, 90), 8), ((90, 728), 8), ((300, 250), 0), ((250, 200), 2), ((468, 60), 8), ((200, 100), 2), ((201, 100), 3),
     ((970, 250), 4), ((160, 600), 4), ((1, 1), 0), ((3000, 2), 8), ((9, 1), 8)],
)  # fmt: skip
def test_tiles_cover_a_picture_along_its_long_side(size: tuple[int, int], count: int) -> None:
    tiles = boxes(*size, "tiles")
    assert len(tiles) == count
    covered = np.zeros(size, dtype=bool)
    for box in tiles:
        assert box is not None
        left, top, right, bottom = box
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        covered[left:right, top:bottom] = True
        if max(size) <= 8 * min(size):
            assert right - left == bottom - top == min(size), "a square"
    assert covered.all() or not tiles
    starts = np.diff([box[0 if size[0] > size[1] else 1] for box in tiles if box])
    assert not len(starts) or starts.max() - starts.min() <= 1, "overlapping evenly"


def test_corners_are_a_share_of_each_side_and_no_view_comes_twice() -> None:
    assert boxes(10, 20, "corners") == [(0, 0, 6, 12), (4, 0, 10, 12), (0, 8, 6, 20), (4, 8, 10, 20)]
    assert [view.name for view in views_of(1, 1, VIEWS)] == ["whole"], "its corners are the whole picture"
    for size in ((1, 2), (2, 1), (2, 2), (728, 90), (301, 299)):
        found = [view.box for view in views_of(*size, VIEWS)]
        assert len(found) == len(set(found)), size
        assert found[0] is None
    assert [view.name for view in views_of(300, 100, VIEWS)] == [
        "whole", "tile 1 of 3", "tile 2 of 3", "tile 3 of 3",
        "corner top left", "corner top right", "corner bottom left", "corner bottom right",
    ]  # fmt: skip


def test_views_of_a_gallery_need_the_sizes_of_its_images() -> None:
    images = [ImageFile("a", Path("a.png")), ImageFile("b", Path("b.png"), "icc1")]
    manifest = [ManifestEntry("a", "a.png", "", 20, 10), ManifestEntry("b", "b.png", "icc1", 10, 10)]
    found = view_files(images, manifest, ["whole", "tiles"])
    assert [(image.key, name) for image, name in found] == [
        ("a", "whole"), ("a@0,0,10,10", "tile 1 of 2"), ("a@10,0,20,10", "tile 2 of 2"), ("b+icc1", "whole"),
    ]  # fmt: skip
    old = [ManifestEntry("a", "a.png"), ManifestEntry("b", "b.png")]
    assert view_files(images, old, ["whole"]) == [(image, "whole") for image in images]
    with pytest.raises(InputError, match=r"width and height .* run `dvc repro`"):
        view_files(images, old, ["whole", "tiles"])


@pytest.mark.parametrize("views", [[], ["tiles"], ["whole", "whole"], ["whole", "middle"]])
def test_views_are_the_whole_and_others(views: list[str]) -> None:
    with pytest.raises(ValueError, match="expected whole and, if you like, tiles and corners, each once"):
        Model(name="x", pretrained=None, context_length=None, views=views)
    order = Model(name="x", pretrained=None, context_length=None, views=["corners", "whole"]).views
    assert order == ["whole", "corners"], "of the vectors, however they are written"


def test_the_mean_of_views_is_a_unit_row_and_one_view_its_own_mean() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(6, 5))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    vectors[5] = -vectors[4]
    rows = [ViewRow(name, "whole") for name in "aaabcc"]
    means, named = combine_views(vectors, rows)
    expected = vectors[:3].astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(means[0], expected / np.linalg.norm(expected), rtol=1e-6)
    assert means[1].tobytes() == vectors[3].tobytes()
    assert means[2].tobytes() == vectors[4].tobytes(), "opposite views have no mean"
    assert named == [ViewRow("a", "mean of 3 views"), ViewRow("b", "whole"), ViewRow("c", "mean of 2 views")]
    assert mean_views(vectors, np.arange(6)) is vectors
    together, _ = combine_views(np.concatenate([vectors[3:4], vectors[:3]]), [rows[3], *rows[:3]])
    assert together[1].tobytes() == means[0].tobytes(), "whatever stands beside it"
