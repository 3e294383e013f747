"""What each source that computes gives its model, to the last bit, beside the version that it belongs to.

Pillow resizes in whole numbers, so that processors with and without vector code agree.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.support.pictures import golden_picture
from text2image.collection.manifest import ImageFile
from text2image.encoders.images.decoding import to_tensor
from text2image.encoders.images.preprocessing import preprocessing
from text2image.labels.caption.batches import scaled
from text2image.labels.imagenet.classifier import builtin_transform
from text2image.labels.ocr.engine import read_lines
from text2image.labels.ocr.orientation import SURE, UPRIGHT
from text2image.labels.openai.encode import ENCODING, QUALITY, reduced
from text2image.labels.protocol.answers import all_determinants
from text2image.labels.protocol.source import SOURCES, ComputedSource, load_source, source_class
from text2image.params import Params

SIDE = 64  # pixels, label.SOURCE.max_side
SIZES = {"wide": (90, 61), "high": (47, 83), "small": (20, 9)}

GOLDEN_VERSIONS = {"caption": 1, "imagenet": 2, "ocr": 1}
GOLDEN_INPUTS = {
    "caption: wide": "dabb5677dfa5",
    "caption: high": "d06ee22b8548",
    "caption: small": "7cdf4b3072cc",
    "imagenet: wide": "dc6c9bb3b86a",
    "imagenet: high": "aff25800c18a",
    "imagenet: small": "d1eff4d91f98",
    "ocr: wide": "e1f1236ac14d",
    "ocr: high": "ab69cd0c0beb",
    "ocr: small": "d354c4f91663",
}


GOLDEN_UPLOADS = {"wide": "dabb5677dfa5", "high": "d06ee22b8548", "small": "7cdf4b3072cc"}


def array_hash(array: npt.NDArray[Any]) -> str:
    about = f"{array.dtype} {array.shape}".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()[:12]


def imagenet(image: Image.Image) -> npt.NDArray[Any]:
    ready = preprocessing(builtin_transform())
    return ready.normalise(ready.prepare(to_tensor(image), ImageFile("", Path()))[None])[0].numpy()


def ocr(image: Image.Image) -> npt.NDArray[Any]:
    given: list[npt.NDArray[Any]] = []

    def engine(pixels: npt.NDArray[np.uint8], **steps: bool) -> Any:
        given.append(pixels)
        return SimpleNamespace(boxes=None)

    read_lines(image, engine, SIDE)
    return given[0]


def caption(image: Image.Image) -> npt.NDArray[Any]:
    return np.asarray(scaled(image, SIDE))


INPUTS: dict[str, Callable[[Image.Image], npt.NDArray[Any]]] = {
    "caption": caption, "imagenet": imagenet, "ocr": ocr,
}  # fmt: skip


def test_every_source_that_computes_has_golden_inputs() -> None:
    computed = {name for name in SOURCES if issubclass(source_class(name), ComputedSource)}
    assert computed == INPUTS.keys() == GOLDEN_VERSIONS.keys()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", INPUTS)
def test_inputs_belong_to_their_version(name: str, size: str) -> None:
    found = array_hash(INPUTS[name](golden_picture(*SIZES[size])))
    source: Any = source_class(name)
    assert (source.preprocessing, found) == (GOLDEN_VERSIONS[name], GOLDEN_INPUTS.get(f"{name}: {size}")), (
        f"pixels changed: raise `preprocessing` in text2image/labels/{name}/source.py and update the golden value"
    )


def test_what_is_read_both_ways_belongs_to_its_version() -> None:
    source: Any = source_class("ocr")
    assert (source.preprocessing, SURE, UPRIGHT) == (1, 0.95, 1.5), "raise `preprocessing` in ocr/source.py"


@pytest.mark.parametrize("size", SIZES)
def test_uploads_belong_to_the_encoding_that_paid_answers_are_stored_under(size: str) -> None:
    found = array_hash(np.asarray(reduced(golden_picture(*SIZES[size]), SIDE)))
    assert (ENCODING, QUALITY, found) == ("jpeg 85 lanczos 1", 85, GOLDEN_UPLOADS.get(size)), (
        "uploads changed: answers would be bought again; keep the pixels, or count ENCODING up"
    )


@pytest.mark.parametrize("name", ["imagenet", "ocr"])
def test_another_version_makes_new_answers(
    name: str, defaults: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = load_source(name, defaults.label.settings(name))
    assert isinstance(source, ComputedSource)
    before = all_determinants(source)
    monkeypatch.setattr(type(source), "preprocessing", 2)
    assert all_determinants(source) == before | {"source_preprocessing": 2}
