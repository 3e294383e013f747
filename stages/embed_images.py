"""Stage ``embed_images@MODEL``: the gallery as unit vectors; ``python -m stages.embed_images MODEL``.

A model that sees several views of an image (``views`` of its entry in params.yaml) gives it a vector for each, one after
the other, or their mean; views.csv says whose vector is whose.
"""

from functools import partial

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.base.memory import no_collection
from text2image.collection.locations import location
from text2image.collection.manifest import gallery, read_manifest
from text2image.encoders.vectors import embed_images_here, image_determinants, load_card, stored_vectors
from text2image.encoders.views import combine_views, view_files
from text2image.formats.files import write_array
from text2image.formats.views import ViewRow, write_views
from text2image.params import Params


def main(params: Params, model: str) -> None:
    card, precision, decode = load_card(ARTIFACTS.card(model)), params.embed.precision, params.embed.decode
    manifest = read_manifest(ARTIFACTS.manifest)
    views = view_files(gallery(manifest, location(params.data.images)), manifest, card["views"])
    embed = embed_images_here
    if params.runtime.engine == "ray":
        from text2image.cluster.workers import embed_on_cluster

        embed = embed_on_cluster
    vectors, n = stored_vectors(
        image_determinants(card, precision, decode),
        {image.key: image for image, _ in views},
        partial(embed, model, card, precision, decode, params.runtime),
        unit="view" if len(card["views"]) > 1 else "image",
        title=f"embed images with {model}",
    )
    say(f"embed_images {model}: {n} embedded, {len(vectors) - n} found in the store")
    with no_collection():
        rows = [ViewRow(image.image_id, name) for image, name in views]
    if card["combine"] == "mean":
        vectors, rows = combine_views(vectors, rows)
    write_array(ARTIFACTS.image_vectors(model), vectors)
    write_views(ARTIFACTS.views(model), rows)


if __name__ == "__main__":
    run(main, "model")
