"""Stage ``model@MODEL``: find an open_clip model's files and hash them; ``python -m stages.model MODEL``.

The card that it writes is what the embedding stages depend on, so that other weights under the same
name make other embeddings, and a model that cannot be had is known before any work is done.
"""

from __future__ import annotations

from pathlib import Path

from stages import run
from text2image.encoders.models import describe
from text2image.formats.files import write_json
from text2image.params import Params


def main(params: Params, model: str) -> None:
    write_json(Path(f"data/models/{model}.json"), describe(model, params.models[model]))


if __name__ == "__main__":
    run(main, "model")
