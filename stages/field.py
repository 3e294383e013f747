"""Stage ``field@FIELD``: all that a label source says of the images, as texts for systems to search in.

``python -m stages.field FIELD``. What the source has answered once, as for its labels, it is not asked again.
"""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, say
from text2image.cluster.engine import source_on_engine
from text2image.collection.locations import location
from text2image.collection.manifest import gallery, read_manifest
from text2image.formats.fields import write_fields
from text2image.formats.files import write_json
from text2image.formats.origins import text_origins
from text2image.labels.protocol.labelling import field_texts
from text2image.labels.protocol.source import Inputs
from text2image.params import Params


def main(params: Params, field: str) -> None:
    manifest = read_manifest(ARTIFACTS.manifest)
    images = gallery(manifest, location(params.data.images))
    source = source_on_engine(field, params.label.settings(field), params.runtime)
    inputs = Inputs(ARTIFACTS.label_inputs(field), manifest)
    texts, unanswered = field_texts(field, source, images, inputs, params.runtime)
    if unanswered and not texts:
        raise InputError(
            f"expected texts of the images from '{field}' (params key retrieve.fields), found no answer for "
            f"{unanswered:,} images; `dvc repro` asks again, without '{field}' in retrieve.fields it goes on"
        )
    write_fields(ARTIFACTS.field(field), texts)
    write_json(ARTIFACTS.field_origins(field), text_origins(field) | source.origins())
    with_text = len({text.image_id for text in texts})
    say(f"field {field}: {len(texts):,} texts of {with_text:,} of {len(images):,} images")
    if unanswered:
        say(
            f"field {field}: {unanswered:,} images got no answer; `dvc repro -f -s field@{field}` asks again, then `dvc repro`"
        )


if __name__ == "__main__":
    run(main, "field")
