"""Stage ``alike@MODEL``: images that a model holds for nearly the same; ``python -m stages.alike MODEL``.

Writes the groups of more than one image at ``queries.cosine.threshold``, if ``queries.cosine.model`` is
this model; otherwise an empty table. Perceptual hashes, in the catalog, need no model.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from stages import run
from text2image.collection.locations import location
from text2image.collection.manifest import gallery, read_manifest
from text2image.formats.tables import write_csv
from text2image.params import Params
from text2image.queries.alike import cosine_groups


def main(params: Params, model: str) -> None:
    rows: list[tuple[str, int]] = []
    if params.queries.cosine.model == model:
        images = np.load(f"data/embeddings/{model}/images.npy", mmap_mode="r")
        group = cosine_groups(images, params.queries.cosine.threshold).tolist()
        ids = [image.image_id for image in gallery(read_manifest(), location(params.data.images))]
        sizes = Counter(group)
        rows = [(image_id, number) for image_id, number in zip(ids, group, strict=True) if sizes[number] > 1]
    write_csv(Path(f"data/alike/{model}.csv"), ("image_id", "group"), rows)


if __name__ == "__main__":
    run(main, "model")
