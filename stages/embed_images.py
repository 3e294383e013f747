"""Stage ``embed_images@MODEL``: the gallery as unit vectors; ``python -m stages.embed_images MODEL``.

Every vector is kept in the content-addressed store as soon as its batch is done, so ten new images
in the folder cost ten images, and a killed run loses at most one batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import progress, say
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile, read_gallery
from text2image.encoders.models import load_card
from text2image.encoders.vectors import gather, image_determinants
from text2image.formats.files import write_array
from text2image.params import Params


def embed_missing(
    name: str, card: dict[str, Any], images: Sequence[ImageFile], kept: int, store: Store, params: Params
) -> None:
    """Embed ``images`` and put each batch into the store; ``kept`` more are there already."""
    if params.runtime.engine == "ray":
        from text2image.cluster.workers import embed_on_cluster

        batches = embed_on_cluster(name, card, images, params.embed.precision, params.runtime)
    else:
        batches = embed_here(name, card, images, params)
    title = f"embed images with {name}"
    with progress(total=len(images) + kept, done=kept, unit="image", title=title) as bar:
        for batch in batches:
            store.put(batch)
            bar.update(len(batch))


def embed_here(
    name: str, card: dict[str, Any], images: Sequence[ImageFile], params: Params
) -> Iterator[list[tuple[str, bytes]]]:
    """Yield ``[(image_id, row), …]`` batch by batch, computed on this machine."""
    from text2image.encoders.device import pick_device
    from text2image.encoders.embedding import embed_images
    from text2image.encoders.models import load_model

    device = pick_device(params.runtime.device)
    model = load_model(name, card, device, params.embed.precision)
    for batch, rows in embed_images(model, images, device, params.runtime):
        yield [(image.image_id, row.tobytes()) for image, row in zip(batch, rows, strict=True)]


def main(params: Params, model: str) -> None:
    card = load_card(model)
    images = read_gallery(ARTIFACTS.manifest, params.data.images)
    ids = [image.image_id for image in images]
    with Store("embeddings", image_determinants(card, params.embed.precision)) as store:
        missing = set(store.missing(ids))
        if missing:
            todo = [image for image in images if image.image_id in missing]
            embed_missing(model, card, todo, len(ids) - len(todo), store, params)
        write_array(Path(f"data/embeddings/{model}/images.npy"), gather(store, ids))
    say(f"embed_images {model}: {len(missing)} embedded, {len(ids) - len(missing)} found in the store")


if __name__ == "__main__":
    run(main, "model")
