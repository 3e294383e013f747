"""Pictures that a tiny captioner has something to say of."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from text2image.collection.manifest import ImageFile


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
        files.append(ImageFile(f"{number:016x}", path))
    return files
