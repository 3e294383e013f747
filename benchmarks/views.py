"""What views of an image and resize modes are worth in this project: ``python -m benchmarks.views [--write NAME]``.

After ``dvc repro``. With the first model of ``embed.models``, every choice of views in the model's own resize mode, of
which the best or the mean counts, and the other modes with the whole alone. Printed are the MRR on the queries of a source, the difference from
what the model sees by default (the whole in its own mode) with a 95 % interval over clusters, and the cost: views embedded
and vectors kept of an image. ``--write`` puts the rows into ``benchmarks/views.csv`` under the collection's name and renews the table in docs/retrieval.md. For
another collection than the sample set ``data.images`` and ``label.human.path`` in params.yaml and run ``dvc repro`` first.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.table import between
from text2image.artifacts import ARTIFACTS
from text2image.base.arrays import Floats, Vectors
from text2image.collection.locations import location
from text2image.collection.manifest import gallery, read_manifest
from text2image.encoders.models.card import describe
from text2image.encoders.vectors import (
    Card,
    embed_images_here,
    embed_texts_here,
    image_determinants,
    stored_vectors,
    text_determinants,
    text_key,
)
from text2image.encoders.views import mean_views, view_files
from text2image.evaluation.statistics.intervals import difference_intervals
from text2image.formats.trec import read_qrels, read_queries
from text2image.formats.views import ImageVectors, view_starts
from text2image.params import Params, load_params
from text2image.queries.asked import read_clusters
from text2image.retrieval.runs import relevant_pairs
from text2image.retrieval.systems.build import rank_system
from text2image.retrieval.systems.vision import VisionScorer

RESULTS, GUIDE = Path(__file__).parent / "views.csv", Path(__file__).parents[1] / "docs" / "retrieval.md"
BEGIN, END = "<!-- views: written by `python -m benchmarks.views --write NAME` -->", "<!-- /views -->"
HEAD = (
    "collection",
    "resize",
    "views",
    "combine",
    "MRR",
    "against the first",
    "embedded an image",
    "kept an image",
)
CHOICES = (("whole", "tiles"), ("whole", "corners"), ("whole", "tiles", "corners"))
MODES = ("squash", "pad", "crop")


class Row(NamedTuple):
    """What one way of seeing images is worth on one collection.

    Attributes:
        collection: its name.
        n_images, n_queries: its size.
        resize, views, combine: as in params.yaml.
        mrr: mean reciprocal rank of the best relevant image.
        difference, low, high: from the first row of the collection, with the 95 % interval.
        embedded, kept: views that are embedded, and vectors kept, of an image; means.
    """

    collection: str
    n_images: int
    n_queries: int
    resize: str
    views: str
    combine: str
    mrr: float
    difference: float
    low: float
    high: float
    embedded: float
    kept: float


class Collection(NamedTuple):
    """The queries of one source and the images of this project, under one model."""

    params: Params
    model: str
    card: Card
    source: str

    def asked(self) -> dict[str, str]:
        """Return the queries that are asked, ``{query_id: text}``."""
        qrels = read_qrels(ARTIFACTS.qrels(self.source))
        queries = read_queries(ARTIFACTS.queries(self.source))
        return {query_id: text for query_id, text in queries.items() if query_id in qrels}

    def query_vectors(self) -> Vectors:
        """Return their vectors, in that order."""
        asked = {text_key(text): text for text in self.asked().values()}
        precision = self.params.embed.precision
        embed = partial(embed_texts_here, self.model, self.card, precision, self.params.runtime)
        determinants = text_determinants(self.card, precision)
        return stored_vectors(determinants, asked, embed, unit="text", title="queries")[0]

    def image_vectors(self, resize: str, kinds: Sequence[str]) -> ImageVectors:
        """Return the vectors of the gallery's views in a resize mode."""
        manifest = read_manifest(ARTIFACTS.manifest)
        views = view_files(gallery(manifest, location(self.params.data.images)), manifest, kinds)
        card, precision = self.card | {"resize": resize}, self.params.embed.precision
        embed = partial(embed_images_here, self.model, card, precision, "cpu", self.params.runtime)
        items = {image.key: image for image, _ in views}
        title = f"{resize}, {' + '.join(kinds)}"
        vectors, _ = stored_vectors(
            image_determinants(card, precision), items, embed, unit="view", title=title
        )
        return ImageVectors(vectors, view_starts([image.image_id for image, _ in views]))

    def reciprocal_ranks(self, queries: Vectors, images: ImageVectors) -> Floats:
        """Return one over the rank of the best relevant image of each query."""
        qrels = read_qrels(ARTIFACTS.qrels(self.source))
        image_ids = sorted({entry.image_id for entry in read_manifest(ARTIFACTS.manifest)})
        asked = self.asked()
        rows, columns, _ = relevant_pairs(asked, image_ids, qrels)
        parts = rank_system(VisionScorer(queries, images), rows, columns, 1)
        ranks = np.concatenate([part.pair_ranks for part in parts])
        best = np.full(len(asked), len(image_ids), dtype=np.int64)
        np.minimum.at(best, rows, ranks)
        return 1.0 / best


def measure(collection: Collection, name: str) -> Iterator[Row]:
    """Yield the rows of a collection, the default first."""
    queries = collection.query_vectors()
    cluster_of, own = read_clusters(ARTIFACTS.clusters(collection.source)), collection.card["input"]["resize"]
    clusters = np.array([cluster_of[query_id] for query_id in collection.asked()], dtype=np.int64)
    cases = [
        ("model", ("whole",)),
        *(("model", kinds) for kinds in CHOICES),
        *((mode, ("whole",)) for mode in MODES if mode != own),
    ]
    first: Floats | None = None
    for resize, kinds in cases:
        images = collection.image_vectors(resize, kinds)
        assert images.starts is not None  # for mypy
        n, embedded = len(images.starts), len(images.vectors) / len(images.starts)
        ways = {"max": images}
        if len(kinds) > 1:
            ways["mean"] = ImageVectors(mean_views(images.vectors, images.starts))
        for combine, gallery_ in ways.items():
            values = collection.reciprocal_ranks(queries, gallery_)
            first = values if first is None else first
            low, high = difference_intervals((values - first)[:, None], clusters, seed=1)
            yield Row(
                name, n, len(values), resize, " + ".join(kinds), combine if len(kinds) > 1 else "",
                float(values.mean()), float((values - first).mean()), float(low[0]), float(high[0]),
                embedded, len(gallery_.vectors) / n,
            )  # fmt: skip


def read() -> list[dict[str, str]]:
    """Return the rows that were written before."""
    if not RESULTS.is_file():
        return []
    with RESULTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(row: Row) -> dict[str, str]:
    return {
        key: f"{value:.4f}" if isinstance(value, float) else str(value)
        for key, value in row._asdict().items()
    }


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Return the table of docs/retrieval.md."""
    lines = [f"| {' | '.join(HEAD)} |", "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |"]
    for row in rows:
        where = f"{row['collection']}: {row['n_images']} images, {row['n_queries']} queries"
        change = f"{float(row['difference']):+.3f} [{float(row['low']):+.3f}, {float(row['high']):+.3f}]"
        default = (row["resize"], row["views"]) == ("model", "whole")
        figures = [f"{float(row['mrr']):.3f}", "" if default else change]
        cost = [f"{float(row[key]):.2f}" for key in ("embedded", "kept")]
        cells = [where, row["resize"], row["views"], row["combine"], *figures, *cost]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.views", description=(__doc__ or "").split("\n\n")[1]
    )
    parser.add_argument(
        "--source", default="human", help="the label source whose queries are asked (default: human)"
    )
    parser.add_argument(
        "--write", metavar="NAME", help="keep the rows under this name, and renew docs/retrieval.md"
    )
    options, params = parser.parse_args(), load_params()
    model = params.embed.models[0]
    collection = Collection(params, model, describe(model, params.models[model]), options.source)
    rows = []
    for row in measure(collection, options.write or "this project"):
        rows.append(written(row))
        print(", ".join(filter(None, rows[-1].values())), flush=True)
    if options.write:
        kept = [row for row in read() if row["collection"] != options.write] + rows
        with RESULTS.open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, Row._fields, lineterminator="\n")
            out.writeheader()
            out.writerows(kept)
        GUIDE.write_text(between(GUIDE.read_text("utf-8"), markdown(kept), BEGIN, END), encoding="utf-8")


if __name__ == "__main__":
    main()
