"""Where the pipeline's files lie: the one place that knows the layout, which dvc.yaml declares to DVC.

Only stages, pages and commands import this module; the rest of the library is given paths or what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from text2image.formats.files import keep_only

if TYPE_CHECKING:
    from text2image.params import Params


@dataclass(frozen=True)
class Artifacts:
    """The files below a project's root; the root of stages and commands is the working directory.

    What exists once is a property, what exists once a model, source or run is a method.
    """

    root: Path = Path()

    # collection
    @property
    def catalog(self) -> Path:
        """A row a usable file."""
        return self.root / "data/catalog.csv"

    @property
    def manifest(self) -> Path:
        """The files that later stages read, without what only the catalog knows."""
        return self.root / "data/manifest.csv"

    @property
    def rejects(self) -> Path:
        """A row a file that is no usable image."""
        return self.root / "data/rejects.csv"

    @property
    def image_sizes_plot(self) -> Path:
        return self.root / "plots/image_sizes.csv"

    # labels
    def label_inputs(self, source: str) -> Path:
        """What a source reads besides the images."""
        return self.root / f"data/label_inputs/{source}.csv"

    def labels(self, source: str) -> Path:
        return self.root / f"data/labels/{source}.csv"

    def without_label(self, source: str) -> Path:
        """A row an image or text that became no label, with the reason."""
        return self.root / f"data/labels/{source}_without.csv"

    def words(self, source: str) -> Path:
        """Words per image."""
        return self.root / f"data/labels/{source}_words.csv"

    def label_metrics(self, source: str) -> Path:
        return self.root / f"metrics/labels/{source}.json"

    # queries
    def queries(self, source: str) -> Path:
        return self.root / f"data/queries/{source}.tsv"

    def qrels(self, source: str) -> Path:
        """What is asked of a source, and which of the images searched answer it."""
        return self.root / f"data/qrels/{source}.qrels"

    def left_out(self, source: str) -> Path:
        """Queries that are not asked, with the reason."""
        return self.root / f"data/qrels/{source}_left_out.csv"

    @property
    def searched(self) -> Path:
        """The images that are searched, in the order of the gallery."""
        return self.root / "data/qrels/searched.csv"

    @property
    def excluded(self) -> Path:
        """Images and queries that nothing is measured on, because a fine-tuned model has seen them."""
        return self.root / "data/qrels/excluded.csv"

    @property
    def judgements(self) -> Path:
        """Grades of people and models, tracked by git."""
        return self.root / "data/judgements.csv"

    def audit(self, source: str) -> Path:
        return self.root / f"data/audit/{source}.csv"

    # encoders
    @property
    def builtin_model(self) -> Path:
        return self.root / "data/models/builtin"

    def card(self, model: str) -> Path:
        """What a model consists of: its files' hashes, its size."""
        return self.root / f"data/models/{model}.json"

    def image_vectors(self, model: str) -> Path:
        return self.root / f"data/embeddings/{model}/images.npy"

    def query_vectors(self, model: str, source: str) -> Path:
        return self.root / f"data/embeddings/{model}/{source}.npy"

    def throughput(self, model: str) -> Path:
        """Measured speeds, on request; no stage reads or writes them."""
        return self.root / f"data/throughput/{model}.csv"

    # fine-tuning
    def split(self, run: str) -> Path:
        return self.root / f"data/splits/{run}.csv"

    def base_card(self, run: str) -> Path:
        """The card of the model that a run starts from."""
        return self.root / f"data/splits/{run}_base.json"

    def tuned_model(self, run: str) -> Path:
        return self.root / f"data/tuned/{run}"

    def finetune_plots(self, run: str) -> Path:
        return self.root / f"plots/finetune/{run}"

    def finetune_metrics(self, run: str) -> Path:
        return self.root / f"metrics/finetune/{run}.json"

    # retrieval
    def index(self, model: str) -> Path:
        return self.root / f"data/index/{model}.faiss"

    def index_metrics(self, model: str) -> Path:
        return self.root / f"metrics/index/{model}.json"

    def run(self, model: str, source: str) -> Path:
        return self.root / f"data/runs/{model}/{source}.run"

    def ranks(self, model: str, source: str) -> Path:
        """The exact rank of every relevant image and of the best irrelevant one."""
        return self.root / f"data/ranks/{model}/{source}.csv"

    # evaluation
    def results(self, model: str, source: str) -> Path:
        """A row a query."""
        return self.root / f"data/results/{model}/{source}.csv"

    def examples(self, source: str) -> Path:
        """A row a picture of the queries that are worth looking at."""
        return self.root / f"data/examples/{source}.csv"

    def metrics(self, name: str) -> Path:
        """One of metrics/*.json: metrics, comparison, dataset, judgements, labels, near_duplicates."""
        return self.root / f"metrics/{name}.json"

    def plot(self, name: str) -> Path:
        """One of plots/*.csv, the tables of charts."""
        return self.root / f"plots/{name}.csv"

    def sheet(self, name: str) -> Path:
        """One of plots/*.png, sheets of pictures; ``name`` may hold folders."""
        return self.root / f"plots/{name}.png"

    # the sample
    @property
    def cutouts(self) -> Path:
        return self.root / "sample/cutouts"

    @property
    def sample_params(self) -> Path:
        return self.root / "sample/params.yaml"

    @property
    def sample(self) -> Path:
        return self.root / "data/sample"

    @property
    def sample_truth(self) -> Path:
        return self.root / "data/sample_truth.csv"


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
    qrels = [files.searched, files.excluded, *map(files.qrels, sources), *map(files.left_out, sources)]
    splits = [path(run) for path in (files.split, files.base_card) for run in runs]
    vectors = [files.image_vectors(model) for model in models]
    for folder, kept in {
        "data/labels": labels,
        "data/queries": map(files.queries, sources),
        "data/qrels": qrels,
        "data/embeddings": [*vectors, *(files.query_vectors(*pair) for pair in pairs)],
        "data/index": map(files.index, params.index.models),
        "data/runs": (files.run(*pair) for pair in pairs),
        "data/ranks": (files.ranks(*pair) for pair in pairs),
        "data/splits": [files.root / "data/splits/.gitignore", *splits],
        "metrics/labels": map(files.label_metrics, sources),
        "metrics/index": map(files.index_metrics, params.index.models),
    }.items():
        keep_only(files.root / folder, kept)
    for card in (files.root / "data/models").glob("*.json"):  # beside checkpoint directories, which stay
        if card.stem not in models:
            card.unlink()
