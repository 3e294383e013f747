"""What models and sources that params.yaml no longer lists left behind.

Stages that cover all models or all sources depend on whole folders, where leftovers would make them look
changed. Whichever of them runs first tidies up for all. DVC's cache keeps what was removed: list the name
again and it is back.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

from text2image.formats.files import keep_only
from text2image.params import Params

OF_A_SOURCE = {
    Path("data/labels"): ("{}.csv", "{}_without.csv", "{}_words.csv"),
    Path("data/queries"): ("{}.tsv",),
    Path("data/qrels"): ("{}.qrels", "{}_left_out.csv"),
    Path("metrics/labels"): ("{}.json",),
}


def forget_unlisted(params: Params) -> None:
    """Remove the files of unlisted models and sources from the folders that stages depend on."""
    models, sources = params.embed.models, params.label.sources
    for folder, patterns in OF_A_SOURCE.items():
        keep_only(folder, [pattern.format(source) for pattern in patterns for source in sources])
    for folder, end in ((Path("data/ranks"), "csv"), (Path("data/runs"), "run")):
        keep_only(folder, [f"{model}/{source}.{end}" for model, source in product(models, sources)])
    for folder in (Path("data/alike"), Path("data/throughput")):
        keep_only(folder, [f"{model}.csv" for model in models])
    for card in Path("data/models").glob("*.json"):  # beside checkpoint directories, which stay
        if card.stem not in models:
            card.unlink()
    keep_only(Path("data/splits"), [".gitignore", *(f"{run}.csv" for run in params.finetune.models)])
    keep_only(Path("data/index"), [f"{model}.faiss" for model in models])
    keep_only(Path("metrics/index"), [f"{model}-{source}.json" for model, source in product(models, sources)])
    vectors = product(models, [*sources, "images"])
    keep_only(Path("data/embeddings"), [f"{model}/{name}.npy" for model, name in vectors])
