"""A model that sees several views of an image, through the stages: what is stored, what is not embedded again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from stages import catalog, embed_images, model
from tests.support.networks import picture
from tests.support.pipeline import REPOSITORY, tiny_model
from text2image.artifacts import ARTIFACTS
from text2image.collection import images as decoding
from text2image.collection.manifest import read_manifest
from text2image.encoders.views import mean_views
from text2image.formats.views import ImageVectors, read_image_vectors, read_views
from text2image.params import load_params
from text2image.retrieval.systems.scorer import Why
from text2image.retrieval.systems.vision import VisionScorer

SIZES = {"banner.png": (200, 40), "square.png": (60, 60), "tower.png": (40, 90)}
VIEWS = {"banner.png": 5, "square.png": 0, "tower.png": 3}  # tiles

Embed = Callable[..., str]


@pytest.fixture
def embed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Embed:
    """Return what embeds three pictures with a tiny model whose entry in params.yaml is so, and says how many were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    tiny_model(tmp_path / "tiny")
    (tmp_path / "images").mkdir()
    for seed, (name, size) in enumerate(SIZES.items()):
        picture(*size, seed).save(tmp_path / "images" / name)

    def run(**entry: object) -> str:
        values = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
        values["data"]["images"], values["runtime"]["workers"] = "images", 2
        values["models"]["tiny"] = {
            "name": "local-dir:tiny",
            "pretrained": None,
            "context_length": None,
        } | entry
        Path("params.yaml").write_text(yaml.safe_dump(values))
        catalog.main(load_params())
        model.main(load_params(), "tiny")
        embed_images.main(load_params(), "tiny")
        return capsys.readouterr().err.rpartition("embed_images tiny: ")[2].strip()

    return run


def vectors() -> ImageVectors:
    return read_image_vectors(ARTIFACTS.image_vectors("tiny"), ARTIFACTS.views("tiny"))


def test_every_view_has_a_vector_and_none_is_made_twice(embed: Embed) -> None:
    assert embed() == "3 embedded, 0 found in the store"
    alone = vectors()
    assert (alone.starts, len(alone.vectors)) == (None, 3)
    assert [row.view for row in read_views(ARTIFACTS.views("tiny"))] == ["whole"] * 3
    assert embed(views=["whole", "tiles"]) == "8 embedded, 3 found in the store"
    tiled = vectors()
    paths = {entry.image_id: entry.path for entry in read_manifest(ARTIFACTS.manifest)}
    expected = [
        (image_id, name)
        for image_id, path in paths.items()
        for name in ["whole", *(f"tile {n} of {VIEWS[path]}" for n in range(1, VIEWS[path] + 1))]
    ]
    assert list(map(tuple, read_views(ARTIFACTS.views("tiny")))) == expected
    assert tiled.first().tobytes() == alone.vectors.tobytes(), "the whole comes first"
    assert embed(views=["whole", "tiles"], combine="mean") == "0 embedded, 11 found in the store"
    assert tiled.starts is not None
    assert vectors().vectors.tobytes() == mean_views(tiled.vectors, tiled.starts).tobytes()
    assert {row.view for row in read_views(ARTIFACTS.views("tiny"))} == {
        "whole", "mean of 6 views", "mean of 4 views",
    }  # fmt: skip
    assert embed() == "0 embedded, 3 found in the store"
    assert vectors().vectors.tobytes() == alone.vectors.tobytes()


def test_a_view_is_embedded_as_a_file_with_that_part_is(embed: Embed) -> None:
    embed(views=["whole", "tiles"])
    found = {
        (row.image_id, row.view): vector
        for row, vector in zip(read_views(ARTIFACTS.views("tiny")), vectors().vectors, strict=True)
    }
    ids = {entry.path: entry.image_id for entry in read_manifest(ARTIFACTS.manifest)}
    with Image.open("images/banner.png") as banner:
        banner.crop((80, 0, 120, 40)).save("images/tile.png")
    embed(views=["whole", "tiles"])
    own = next(entry.image_id for entry in read_manifest(ARTIFACTS.manifest) if entry.path == "tile.png")
    rows = [row.image_id for row in read_views(ARTIFACTS.views("tiny"))]
    assert np.array_equal(vectors().vectors[rows.index(own)], found[ids["banner.png"], "tile 3 of 5"])


def test_an_image_is_decoded_once_for_all_its_views(embed: Embed, monkeypatch: pytest.MonkeyPatch) -> None:
    embed(views=["whole"])  # the catalog has read them
    decoded = []
    plain = decoding.render

    def counted(content: bytes, *limits: int) -> object:
        decoded.append(content)
        return plain(content, *limits)

    monkeypatch.setattr(decoding, "render", counted)
    assert embed(views=["whole", "tiles", "corners"]) == "20 embedded, 3 found in the store"
    assert len(decoded) == 3


def test_another_resize_is_another_vector_and_that_of_the_model_stays(embed: Embed) -> None:
    embed()
    own = vectors().vectors.copy()
    for mode in ("squash", "pad", "crop"):
        assert embed(resize=mode) == "3 embedded, 0 found in the store"
        same = [np.array_equal(*pair) for pair in zip(own, vectors().vectors, strict=True)]
        expected = mode == "crop"  # as open_clip does by default; of the square picture all do the same
        paths = [entry.path for entry in read_manifest(ARTIFACTS.manifest)]
        assert [one for one, path in zip(same, paths, strict=True) if path != "square.png"] == [expected] * 2
    assert embed() == "0 embedded, 3 found in the store"


def test_a_system_says_which_view_counts(embed: Embed) -> None:
    embed(views=["whole", "tiles"])
    gallery = vectors()
    names = [row.view for row in read_views(ARTIFACTS.views("tiny"))]
    scorer = VisionScorer(gallery.vectors, gallery)
    columns = gallery.images_of(np.arange(len(names))).tolist()
    for query, column in enumerate(columns):
        assert scorer.explain(query, [column]) == [Why(view=names[query])], "each vector is most like itself"
    assert scorer.scores(slice(0, 11)).shape == (11, 3)
    embed()
    assert VisionScorer(gallery.vectors, vectors()).explain(0, [0, 1]) == [Why(), Why()]
