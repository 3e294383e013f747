"""Stage ``index@MODEL``: the gallery as ``retrieve.index`` says; ``python -m stages.index MODEL``.

Writes a faiss index of the images' vectors, which other programs can serve too: row i is the i-th image of the
gallery. An exact search needs none, which an empty file says.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages import run
from text2image.base.console import say
from text2image.formats.files import atomic_write
from text2image.params import Params
from text2image.retrieval.nearest import build, write


def main(params: Params, model: str) -> None:
    kind, index = params.retrieve.index, None
    if kind != "exact":
        images = np.load(f"data/embeddings/{model}/images.npy", mmap_mode="r")
        say(f"index {model}: building {kind} of {len(images)} images …")
        index = build(kind, images, params.runtime.workers)
    with atomic_write(Path(f"data/index/{model}.faiss")) as temporary:
        write(index, temporary)


if __name__ == "__main__":
    run(main, "model")
