"""Stage ``label@SOURCE``: give images texts by one source, and make queries of them."""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, say
from text2image.cluster.engine import source_on_engine
from text2image.collection.locations import location
from text2image.collection.manifest import gallery, read_manifest
from text2image.formats.files import write_json
from text2image.formats.origins import text_origins
from text2image.formats.tables import write_csv
from text2image.formats.texts import counted
from text2image.formats.trec import write_queries
from text2image.labels.protocol.labelling import Labelling, label_images
from text2image.labels.protocol.source import Inputs, Label, NoLabel
from text2image.params import Params
from text2image.queries.query import make_queries


def main(params: Params, source: str) -> None:
    manifest = read_manifest(ARTIFACTS.manifest)
    images = gallery(manifest, location(params.data.images))
    inputs = Inputs(ARTIFACTS.label_inputs(source), manifest)
    labeller = source_on_engine(source, params.label.settings(source), params.runtime)
    labelling = label_images(source, labeller, images, inputs, params.runtime)
    labels, figures = labelling.labels, labelling.figures
    queries = make_queries((label.image_id, label.text) for label in labels)
    if not queries:
        check_worth_going_on(source, labelling, params)
    write_csv(ARTIFACTS.labels(source), Label._fields, labels)
    write_csv(ARTIFACTS.without_label(source), NoLabel._fields, labelling.unlabelled)
    write_csv(ARTIFACTS.words(source), ("image_id", "words"), labelling.words)
    write_json(ARTIFACTS.origins(source), text_origins(source) | labeller.origins())
    write_queries(ARTIFACTS.queries(source), queries)
    write_json(ARTIFACTS.label_metrics(source), figures)
    say(
        f"label {source}: {figures['labelled_images']} of {len(images)} images, {len(labels)} pairs, "
        f"{len(queries)} queries"
    )
    for remark in figures.get("remarks", ()):
        say(f"label {source}: {remark}")
    if not queries:
        say(
            f"label {source}: no image has a label ({reasons(labelling)}): nothing is measured on this source"
        )


def check_worth_going_on(source: str, labelling: Labelling, params: Params) -> None:
    """Refuse a source without any label where that ends the run, or where the next run may have labels.

    Other sources go on without it; with an empty result DVC would not ask again for answers that failed for a while.

    Raises:
        InputError: some images have no answer yet, or there is no other source.
    """
    found = f"found none for {labelling.figures['images']} images ({reasons(labelling)})"
    expected = (
        f"expected at least one label from source '{source}' (params keys label.sources and label.{source})"
    )
    if labelling.unanswered:
        raise InputError(
            f"{expected}, {found}; `dvc repro` asks again, without '{source}' in label.sources it goes on"
        )
    if params.label.sources == [source]:
        raise InputError(f"{expected}, the only one in use, {found}; add a source, or change label.{source}")


def reasons(labelling: Labelling) -> str:
    """Return why images have no label, as a sentence has it."""
    return counted(labelling.figures["without_label"])


if __name__ == "__main__":
    run(main, "source")
