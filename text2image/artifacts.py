"""Where the pipeline's files lie: the one place that knows the layout, which dvc.yaml declares to DVC.

Only stages, pages and commands import this module; the rest of the library is given paths or what is in them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from text2image.base.console import InputError

if TYPE_CHECKING:
    from text2image.params import Params


class One:
    """A file or folder that exists once: an attribute of :class:`Artifacts`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __get__(self, files: Artifacts, owner: type[Artifacts]) -> Path:
        return files.root / self.path


class Each:
    """A file that exists once for each of some names (a model, a source …): a method of :class:`Artifacts`."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __get__(self, files: Artifacts, owner: type[Artifacts]) -> Callable[..., Path]:
        return lambda *names: files.root / self.pattern.format(*names)


@dataclass(frozen=True)
class Artifacts:
    """The files below a project's root; for stages and commands it is the working directory.

    Example: ``ARTIFACTS.catalog``, ``ARTIFACTS.labels("human")``, ``ARTIFACTS.run("builtin", "human")``.
    """

    root: Path = Path()

    # collection
    catalog = One("data/catalog.csv")  # a row a usable file
    manifest = One("data/manifest.csv")  # the same files, without what only the catalog knows
    rejects = One("data/rejects.csv")  # a row a file that is no usable image
    # labels, by source
    label_inputs = Each("data/label_inputs/{}.csv")  # what the source reads besides the images
    labels = Each("data/labels/{}.csv")
    without_label = Each(
        "data/labels/{}_without.csv"
    )  # images and texts that became no label, with the reason
    words = Each("data/labels/{}_words.csv")  # words per image
    origins = Each("data/labels/{}_origins.json")  # what wrote the texts
    label_metrics = Each("metrics/labels/{}.json")
    # queries, by source
    queries = Each("data/queries/{}.tsv")
    qrels = Each("data/qrels/{}.qrels")  # what is asked, and which of the images searched answer it
    left_out = Each("data/qrels/{}_left_out.csv")  # queries that are not asked, with the reason
    left_out_sources = One("data/qrels/left_out_sources.csv")  # sources of which nothing is asked, and why
    searched = One("data/qrels/searched.csv")  # the images that are searched
    excluded = One(
        "data/qrels/excluded.csv"
    )  # what fine-tuned models in use have seen, and nothing is measured on
    judgements = One("data/judgements.csv")  # grades of people and models, in git
    audit = Each("data/audit/{}.csv")
    # encoders, by model
    builtin_model = One("data/models/builtin")
    card = Each("data/models/{}.json")  # what the model consists of: its files' hashes, its size
    image_vectors = Each("data/embeddings/{}/images.npy")
    query_vectors = Each("data/embeddings/{}/{}.npy")  # by model and source
    readings = Each("data/readings/{}/{}.csv")  # by model and source: queries that are not read as they are
    reading_metrics = Each("metrics/readings/{}/{}.json")
    throughput = One("report/throughput.csv")  # measured speeds, on request; no stage knows them
    # fine-tuning, by run
    split = Each("data/splits/{}.csv")
    base_card = Each("data/splits/{}_base.json")  # the card of the model that the run starts from
    tuned_model = Each("data/tuned/{}")
    finetune_plots = Each("plots/finetune/{}")
    finetune_metrics = Each("metrics/finetune/{}.json")
    # retrieval and evaluation, by model and source
    index = Each("data/index/{}.faiss")  # by model
    index_metrics = Each("metrics/index/{}.json")  # by model
    run = Each("data/runs/{}/{}.run")
    ranks = Each("data/ranks/{}/{}.csv")  # exact ranks of the relevant images and of the best irrelevant one
    results = Each("data/results/{}/{}.csv")  # a row a query
    examples = Each("data/examples/{}.csv")  # by source: the rankings that are worth looking at
    metrics = Each("metrics/{}.json")  # by name: metrics, comparison, dataset, judgements, labels, sources
    # plots
    plot = Each("plots/{}.csv")  # by name: the table of a chart
    sheet = Each("plots/{}.png")  # by name, folders included: a sheet of pictures
    # what commands write for people
    reports = One("report")
    # the sample
    cutouts = One("sample/cutouts")
    sample_params = One("sample/params.yaml")
    sample = One("data/sample")
    sample_truth = One("data/sample_truth.csv")


ARTIFACTS = Artifacts()
"""The files of the project in the working directory."""


def existing(path: Path) -> Path:
    """Return the path of a file that the pipeline writes; an InputError says if it is not there."""
    if not path.is_file():
        raise InputError(f"expected {path}, found no such file; run `dvc repro`")
    return path


def forget_unlisted(params: Params, root: Path = ARTIFACTS.root) -> None:
    """Remove what stages wrote for models and sources that params.yaml no longer lists, as dvc.lock remembers it.

    Stages over all of them depend on whole folders, where leftovers would make them look changed. Every stage
    does this before anything else, so that none tidies up for another. Nothing else is touched: what is removed is
    an output that DVC recorded and that no stage writes any more. List the name again and DVC brings it back.
    Models that fine-tuning made stay, since they may have taken days.
    """
    try:
        pipeline, lock = (_read(root / name)["stages"].items() for name in ("dvc.yaml", "dvc.lock"))
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return  # nothing ran yet, or DVC is writing
    defined = {name: outs for stage, entry in pipeline for name, outs in _instances(stage, entry, params)}
    written = {Path(out) for outs in defined.values() for out in outs}
    for name, entry in lock:
        if "@" in name and name not in defined and not name.startswith("finetune@"):
            for path in (Path(out["path"]) for out in entry.get("outs", ())):
                if not any(path == out or path in out.parents or out in path.parents for out in written):
                    _remove(root / path)


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def _instances(stage: str, entry: dict[str, Any], params: Params) -> Iterator[tuple[str, list[str]]]:
    """Yield ``(name, outputs)`` of a stage of dvc.yaml, or of each that it makes of the names in params.yaml."""
    lists = {"item": entry["foreach"]} if "foreach" in entry else entry.get("matrix", {})
    keys = ["item" if key == "item" else f"item.{key}" for key in lists]
    for names in product(*(attrgetter(names.strip("${}"))(params) for names in lists.values())):
        definition, outs = entry.get("do", entry), []
        for kind in ("outs", "metrics", "plots"):
            for out in definition.get(kind, ()):
                path = out if isinstance(out, str) else next(iter(out))
                for key, name in zip(keys, names, strict=True):
                    path = path.replace(f"${{{key}}}", name)
                outs.append(path)
        yield "@".join(filter(None, [stage, "-".join(names)])), outs


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
