"""Stage ``finetune@NAME``: a model made from another and your labels; ``python -m stages.finetune NAME``.

Learns from the training part of data/splits/NAME.csv, stops early and is mixed with the base model by
the validation part, and is measured on the test part. The result is an open_clip checkpoint directory,
data/tuned/NAME, a model like any other. A killed run goes on where it was.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_gallery, read_groups
from text2image.encoders.models import describe, load_model
from text2image.formats.files import rounded, write_json
from text2image.formats.tables import write_csv
from text2image.params import Params
from text2image.queries.split import sizes
from text2image.queries.split_files import read_split

TUNED = Path("data/tuned")


def make(name: str, params: Params) -> None:
    """Tune, and write the model, its card, its metrics and its curve."""
    from text2image.encoders.device import pick_device
    from text2image.finetuning.checkpoint import Checkpoint
    from text2image.finetuning.export import write_model
    from text2image.finetuning.inputs import PRECISION
    from text2image.finetuning.live import live_log
    from text2image.finetuning.report import card, figures
    from text2image.finetuning.run import Base, threads, tune

    settings = params.finetune.runs[name]
    described, group_of, device = (
        params.models[settings.base],
        read_groups(ARTIFACTS.catalog),
        pick_device(params.runtime.device),
    )
    rows = read_split(ARTIFACTS.split(name), group_of)
    files = {image.image_id: image for image in read_gallery(ARTIFACTS.manifest, params.data.images)}
    base_card = describe(settings.base, described)
    determinants = [settings.model_dump(), base_card, rows, device.type, threads(settings, device)]
    checkpoint, charts = Checkpoint(determinants), Path("plots/finetune") / name
    with live_log(charts / "live") as log:
        base = Base(base_card, load_model(settings.base, base_card, device, PRECISION))
        tuned = tune(base, settings, rows, files, group_of, params.runtime, checkpoint, log)
    resampling = params.evaluate
    found = rounded(
        figures(tuned, sizes(rows, group_of), resamples=resampling.resamples, seed=resampling.seed)
    )
    shutil.rmtree(TUNED / name, ignore_errors=True)
    write_model(TUNED / name, tuned.network, described, card(name, settings, described, found, tuned.changed))
    write_json(Path(f"metrics/finetune/{name}.json"), found)
    points = [
        (name, point.weight, *point.found.means().values(), point is tuned.chosen) for point in tuned.points
    ]
    write_csv(
        charts / "wise_ft.csv", ("model", "weight", *tuned.base.means(), "chosen"),
        [(model, weight, *(f"{value:.6f}" for value in values), str(taken).lower()) for model, weight, *values, taken in points],
    )  # fmt: skip
    checkpoint.forget()
    test = found["test"]
    say(
        f"finetune {name}: test MRR {test['base']['mrr']:.3f} → {test['tuned']['mrr']:.3f} "
        f"({test['n_queries']} queries, {test['n_images']} images)"
    )


def main(params: Params, name: str) -> None:
    make(name, params)


if __name__ == "__main__":
    run(main, "name")
