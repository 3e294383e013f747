"""Stage ``index@MODEL``: the gallery as ``retrieve.index`` says; ``python -m stages.index MODEL``.

Writes a faiss index of the images' vectors, which other programs can serve too: row i is the i-th image of the
gallery. An exact search needs none, which an empty file says.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from stages.io.console import run, say
from stages.io.files import whole
from stages.io.nearest import build, write
from stages.io.params import load_params


def main() -> None:
    model, params = sys.argv[1], load_params()
    kind, index = params.retrieve.index, None
    if kind != "exact":
        images = np.load(f"data/embeddings/{model}/images.npy", mmap_mode="r")
        say(f"index {model}: building {kind} of {len(images)} images …")
        index = build(kind, images, params.runtime.workers)
    with whole(Path(f"data/index/{model}.faiss")) as temporary:
        write(index, temporary)


if __name__ == "__main__":
    run(main)
