"""Tiny captioners, and pictures that they have something to say of."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures import image_file
from tests.support.threads import one_thread  # noqa: F401  # for every test here
from tests.support.tiny_captioners import SAVERS, Describe
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.labels.caption.source import Settings, Source
from text2image.labels.protocol.source import ImageAnswer


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[ImageFile]:
    """Seven images of different sizes and colours."""
    base = tmp_path_factory.mktemp("images")
    files = []
    for number in range(7):
        height, width = 60 - 5 * number, 20 + 9 * number
        noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        noise[:12, :12] = (37 * number, 255 - 31 * number, 90)
        path = base / f"{number}.png"
        Image.fromarray(noise).save(path)
        files.append(image_file(path))
    return files


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    for kind, save in SAVERS.items():
        save(base / kind)
    return {kind: base / kind for kind in SAVERS}


@pytest.fixture
def describe(runtime: Runtime) -> Describe:
    """Return what captions images by settings, in batches of a size."""

    def captions(
        images: list[ImageFile], wanted: Settings, batch_size: int | None = None
    ) -> list[ImageAnswer]:
        source = Source(wanted)
        source.fetch()
        return list(source.load(runtime.model_copy(update={"batch_size": batch_size}))(images))

    return captions
