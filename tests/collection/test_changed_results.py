"""A file that was replaced after the catalog was made: what a model computes of it is never stored as the image's."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.networks import picture, write_pictures
from tests.support.pipeline import REPOSITORY, tiny_model
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile
from text2image.encoders.models.card import describe
from text2image.encoders.models.load import load_model
from text2image.encoders.settings import Model
from text2image.encoders.vectors import embed_images_here, image_determinants, stored_vectors
from text2image.finetuning.network.inputs import Base, image_features_determinants, make_inputs
from text2image.finetuning.network.towers import Towers
from text2image.labels.imagenet import classifier
from text2image.labels.imagenet.source import Settings, Source
from text2image.labels.protocol.answers import all_determinants, collect_answers, store_kind
from text2image.params import load_params

COUNT, CHANGED = 9, 4

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def runtime() -> Runtime:
    return load_params(REPOSITORY / "params.yaml").runtime.model_copy(update={"device": "cpu"})


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ImageFile]:
    """Nine images, and the file of the fifth replaced by another picture."""
    monkeypatch.chdir(tmp_path)
    made = write_pictures(tmp_path, COUNT)
    picture(61, 70, 99).save(str(made[CHANGED].path))
    return made


def mend(images: Sequence[ImageFile]) -> None:
    picture(60 + CHANGED, 70, CHANGED).save(str(images[CHANGED].path))


@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_vectors(images: list[ImageFile], runtime: Runtime, batch_size: int) -> None:
    tiny_model(Path("tiny"))
    card = describe("tiny", Model(name="local-dir:tiny", pretrained=None, context_length=None))
    how = runtime.model_copy(update={"batch_size": batch_size, "workers": 1})
    items = {image.key: image for image in images}

    def embed() -> np.ndarray:
        determinants = image_determinants(card, "fp32")
        rows, _ = stored_vectors(
            determinants,
            items,
            lambda some: embed_images_here("tiny", card, "fp32", "cpu", how, some),
            unit="image",
            title="test",
        )
        return rows

    with pytest.raises(InputError, match=rf"{CHANGED}\.png as data/catalog\.csv lists it"):
        embed()
    with Store("embeddings", image_determinants(card, "fp32")) as store:
        missing = store.missing(items)
    reference = min(8, COUNT) if batch_size == 16 else batch_size  # what is computed together
    assert images[CHANGED].key in missing
    assert not set(missing) & {image.key for image in images[: reference * (CHANGED // reference)]}
    mend(images)
    right = embed()
    for image, row in zip(images, right, strict=True):
        alone = next(iter(embed_images_here("tiny", card, "fp32", "cpu", how, [image])))
        assert np.frombuffer(alone[0][1], dtype=np.float32).tobytes() == row.tobytes(), image


def test_features_of_fine_tuning(images: list[ImageFile], runtime: Runtime) -> None:
    tiny_model(Path("tiny"))
    card = describe("tiny", Model(name="local-dir:tiny", pretrained=None, context_length=None))
    base = Base(card, load_model("tiny", card, "cpu", "fp32"))
    how = runtime.model_copy(update={"batch_size": COUNT, "workers": 1})
    for frozen in (True, False):
        with pytest.raises(InputError, match=rf"{CHANGED}\.png as data/catalog\.csv lists it"):
            inputs = make_inputs(Towers(base.model.network, 0.0), base, images, ["text"], how, frozen)
            inputs.all_images(range(COUNT))
    with Store("features", image_features_determinants(card)) as store:
        assert store.missing(image.key for image in images) == [images[CHANGED].key], "the others are kept"


def test_classes(images: list[ImageFile], runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of seeded weights in place of the built-in classifier's, which takes seconds to load."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 1000)
    )
    monkeypatch.setattr(classifier, "load_builtin", lambda: (network.eval(), classifier.builtin_transform()))
    source = Source(Settings(model="builtin", threshold=0.0))
    how = runtime.model_copy(update={"batch_size": COUNT, "workers": 1})
    with pytest.raises(InputError, match=rf"{CHANGED}\.png as data/catalog\.csv lists it"):
        collect_answers("imagenet", source, images, how)
    with Store(store_kind("imagenet"), all_determinants(source)) as store:
        assert store.missing(image.key for image in images) == [images[CHANGED].key], "the others are kept"
    mend(images)
    assert len(collect_answers("imagenet", source, images, how)) == COUNT
