"""Stage ``model@MODEL``: find an open_clip model's files and hash them; ``python -m stages.model MODEL``.

The card that it writes is what the embedding stages depend on.
"""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.encoders.models.towers import import_for
from text2image.formats.files import write_json
from text2image.params import Params


def main(params: Params, model: str) -> None:
    import_for(params.models[model].name)
    from text2image.encoders.models.card import describe

    write_json(ARTIFACTS.card(model), describe(model, params.models[model]))


if __name__ == "__main__":
    run(main, "model")
