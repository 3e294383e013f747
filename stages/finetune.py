"""Stage ``finetune@NAME``: make a model from another and the labels of its training part.

It learns from the training part of data/splits/NAME.csv, stops early and is mixed with the base model by the
validation part, and is measured on the test part. The result, data/tuned/NAME, is an open_clip checkpoint directory,
a model like any other. A killed run goes on where it was; one that nothing changed is not trained again.
"""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_gallery, read_groups
from text2image.encoders.models.towers import import_for
from text2image.encoders.settings import Model
from text2image.encoders.vectors import load_card
from text2image.formats.files import rounded, write_json
from text2image.formats.tables import write_csv
from text2image.params import Params
from text2image.queries.split import read_split, sizes


def main(params: Params, name: str) -> None:
    base_card = load_card(ARTIFACTS.base_card(name))
    import_for(base_card["name"])  # late, as what follows: torch takes seconds
    from text2image.encoders.device import pick_device
    from text2image.encoders.models.load import load_model
    from text2image.finetuning.checkpoint import Checkpoint
    from text2image.finetuning.network.export import write_model
    from text2image.finetuning.network.inputs import PRECISION, Base
    from text2image.finetuning.report import CURVE_COLUMNS, card, curve_rows, figures, live_log
    from text2image.finetuning.run import Data, determinants, tune

    settings, device = params.finetune.runs[name], pick_device(params.runtime.device)
    group_of = read_groups(ARTIFACTS.catalog)
    split = read_split(ARTIFACTS.split(name), group_of)
    images = {image.image_id: image for image in read_gallery(ARTIFACTS.manifest, params.data.images)}
    checkpoint = Checkpoint(name, determinants(base_card, settings, split, images, device))
    plots, folder = ARTIFACTS.finetune_plots(name), ARTIFACTS.tuned_model(name)
    with live_log(plots / "live") as log:
        base = Base(base_card, load_model(settings.base, base_card, params.runtime.device, PRECISION))
        tuned = tune(base, settings, Data(split, images, group_of), params.runtime, checkpoint, log)
    resamples, seed = params.evaluate.resamples, params.evaluate.seed
    metrics = rounded(figures(tuned, sizes(split, group_of), resamples=resamples, seed=seed))
    model = Model(**{key: base_card[key] for key in Model.model_fields})
    described = card(name, settings, model, metrics, tuned.changed)
    write_model(folder, tuned.network, model, described, base_card["origins"])
    write_json(ARTIFACTS.finetune_metrics(name), metrics)
    write_csv(plots / "wise_ft.csv", CURVE_COLUMNS, curve_rows(name, tuned))
    test = metrics["test"]
    say(
        f"finetune {name}: test MRR {test['base']['mrr']:.3f} → {test['tuned']['mrr']:.3f} "
        f"({test['n_queries']} queries, {test['n_images']} images)"
    )


if __name__ == "__main__":
    run(main, "name")
