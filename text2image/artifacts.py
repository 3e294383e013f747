"""Where the pipeline's files lie: the one place that knows the layout, which dvc.yaml declares to DVC.

Only stages, pages, commands and :mod:`text2image.lockfile` import this module; the rest of the library is given paths
or what is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from text2image.base.console import InputError


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
    # fields, by label source: texts that systems search in
    field = Each("data/fields/{}.csv")
    field_origins = Each("data/fields/{}_origins.json")
    # queries, by source
    queries = Each("data/queries/{}.tsv")
    qrels = Each("data/qrels/{}.qrels")  # what is asked, and which of the images searched answer it
    clusters = Each("data/qrels/{}_clusters.csv")  # queries about the same images, which are not independent
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
    local_models = One("data/local_models")  # links to the models that lie on this machine
    card = Each("data/models/{}.json")  # what the model consists of: its files' hashes, its size
    image_vectors = Each("data/embeddings/{}/images.npy")
    views = Each("data/embeddings/{}/views.csv")  # the image and the view of every row of it
    query_vectors = Each("data/embeddings/{}/{}.npy")  # by model and source
    readings = Each("data/readings/{}/{}.csv")  # by model and source: queries that are not read as they are
    reading_metrics = Each("metrics/readings/{}/{}.json")
    throughput = One("report/throughput.csv")  # measured speeds, on request; no stage knows them
    query_times = One("report/queries.csv")  # how long queries take, likewise
    # fine-tuning, by run
    split = Each("data/splits/{}.csv")
    base_card = Each("data/splits/{}_base.json")  # the card of the model that the run starts from
    tuned_model = Each("data/tuned/{}")
    finetune_plots = Each("plots/finetune/{}")
    finetune_metrics = Each("metrics/finetune/{}.json")
    # systems
    system = Each("data/systems/{}.json")  # what a system is made of and reads
    system_inputs = Each("data/systems/{}/{}.json")  # by system and source: the hashes of all that it reads
    # retrieval and evaluation, by system and source
    index = Each("data/index/{}.faiss")  # by model
    index_metrics = Each("metrics/index/{}.json")  # by model
    why = Each("data/why/{}/{}.csv")  # why the first images are where they are
    weights = Each("data/weights/{}/{}.json")  # how the parts of a fusion are weighted
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
