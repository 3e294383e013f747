"""Stage ``embed_images@MODEL``: the gallery as unit vectors; ``python -m stages.embed_images MODEL``."""

from functools import partial

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_gallery
from text2image.encoders.vectors import embed_images_here, image_determinants, load_card, stored_vectors
from text2image.formats.files import write_array
from text2image.params import Params


def main(params: Params, model: str) -> None:
    card, precision = load_card(ARTIFACTS.card(model)), params.embed.precision
    images = {image.key: image for image in read_gallery(ARTIFACTS.manifest, params.data.images)}
    embed = embed_images_here
    if params.runtime.engine == "ray":
        from text2image.cluster.workers import embed_on_cluster

        embed = embed_on_cluster
    vectors, n = stored_vectors(
        image_determinants(card, precision),
        images,
        partial(embed, model, card, precision, params.runtime),
        unit="image",
        title=f"embed images with {model}",
    )
    write_array(ARTIFACTS.image_vectors(model), vectors)
    say(f"embed_images {model}: {n} embedded, {len(vectors) - n} found in the store")


if __name__ == "__main__":
    run(main, "model")
