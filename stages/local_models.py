"""Stage ``local_models``: link the folders and files on this machine that models are loaded from.

A stage that is declared once for all models cannot depend on the folder of one. So it depends on a link in data/local_models,
whose name is known, and DVC, which follows it, sees when somebody overwrites the weights. Models without a folder of their
own, and those that the pipeline itself makes, have a link to the explanation that lies there.
"""

from pathlib import Path

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.encoders.settings import checkpoint_directory
from text2image.formats.files import keep_only, write_text
from text2image.formats.links import link, link_files
from text2image.labels.protocol.source import SOURCES, local_model
from text2image.params import Params
from text2image.retrieval.systems.settings import Meaning, Rerank

EXPLANATION = """\
Links to the folders and files on this machine that models are loaded from, by which DVC sees them change: models/NAME
of `models:` in params.yaml, bases/NAME of `finetune.runs:`, labels/NAME of `label:`, and in systems/NAME links to the
files of the text models of `systems:`. The stage local_models makes them; where a model has no files that DVC does not
know otherwise, the link leads to this text. If DVC misses a file here, run `dvc repro -f local_models`.
"""


def paths(params: Params) -> dict[str, Path | None]:
    """Return what each model, base of a fine-tuned model and label source is loaded from, by the name of its link."""
    folders = {name: checkpoint_directory(model.name) for name, model in params.models.items()}
    models = {f"models/{name}": folder for name, folder in folders.items()}
    bases = {f"bases/{name}": folders.get(run.base) for name, run in params.finetune.runs.items()}
    labels = {f"labels/{source}": local_model(params.label.settings(source)) for source in SOURCES}
    return models | bases | labels


def text_models(params: Params) -> dict[str, Path]:
    """Return the folder of each described system's text encoder or cross-encoder that has one, by the system's name."""
    named = {
        name: system.model if isinstance(system, Meaning) else system.by
        for name, system in params.systems.items()
        if isinstance(system, Meaning | Rerank)
    }
    return {name: Path(model) for name, model in named.items() if Path(model).is_dir()}


def made_here(path: Path) -> bool:
    """Say whether a stage makes a model, whose folder is a dependency of its own."""
    return any(
        path.resolve().is_relative_to(place.resolve())
        for place in (ARTIFACTS.builtin_model, ARTIFACTS.tuned_model("x").parent)
    )


def main(params: Params) -> None:
    root = ARTIFACTS.local_models
    explanation, tracked = root / "README.txt", root / ".gitignore"
    write_text(explanation, EXPLANATION)
    keep_only(root, [explanation, tracked])
    try:
        for name, path in paths(params).items():
            link(root / name, explanation if path is None or not path.exists() or made_here(path) else path)
        (root / "systems").mkdir(exist_ok=True)
        link(root / "systems" / explanation.name, explanation)
        for name, model in text_models(params).items():
            link_files(root / "systems" / name, model)
    except OSError as error:
        raise InputError(f"expected to make symbolic links in {root}, found: {error}") from None


if __name__ == "__main__":
    run(main)
