"""Where the pipeline's files lie: the one place that knows the layout, which dvc.yaml declares to DVC.

Only stages, pages and commands import this module; the rest of the library is given paths or what is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from text2image.formats.files import keep_only

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
    label_metrics = Each("metrics/labels/{}.json")
    # queries, by source
    queries = Each("data/queries/{}.tsv")
    qrels = Each("data/qrels/{}.qrels")  # what is asked, and which of the images searched answer it
    left_out = Each("data/qrels/{}_left_out.csv")  # queries that are not asked, with the reason
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
    metrics = Each("metrics/{}.json")  # by name: metrics, comparison, dataset, judgements, labels
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


def forget_unlisted(params: Params, files: Artifacts = ARTIFACTS) -> None:
    """Remove the files of models, sources and runs that params.yaml no longer lists.

    Stages over all of them depend on whole folders, where leftovers would make them look changed. Every stage
    does this before anything else, so that none tidies up for another; DVC's cache keeps what was removed:
    list the name again and it is back.
    """
    models, sources, runs = params.embed.models, params.label.sources, params.finetune.models
    pairs = list(product(models, sources))
    labels = [path(source) for path in (files.labels, files.without_label, files.words) for source in sources]
    splits = [path(run) for path in (files.split, files.base_card) for run in runs]
    vectors = [*map(files.image_vectors, models), *(files.query_vectors(*pair) for pair in pairs)]
    for folder, kept in {
        "data/embeddings": vectors,
        "data/index": list(map(files.index, params.index.models)),
        "data/labels": labels,
        "data/queries": list(map(files.queries, sources)),
        "data/ranks": [files.ranks(*pair) for pair in pairs],
        "data/runs": [files.run(*pair) for pair in pairs],
        "data/splits": [files.root / "data/splits/.gitignore", *splits],
        "metrics/index": list(map(files.index_metrics, params.index.models)),
        "metrics/labels": list(map(files.label_metrics, sources)),
    }.items():
        keep_only(files.root / folder, kept)
    for card in (files.root / "data/models").glob("*.json"):  # beside checkpoint directories, which stay
        if card.stem not in models:
            card.unlink()
