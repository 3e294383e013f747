"""Stage ``audit@SOURCE``: labels by how suspicious they are; ``python -m stages.audit SOURCE``.

data/audit/SOURCE.csv lists every label, the most suspicious first, with its signs (see
``text2image.queries.audit``) and whether the search speaks against the label or against the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_gallery
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.texts import query_id
from text2image.formats.trec import read_queries
from text2image.params import Params
from text2image.queries.audit import best_alike, blame, pair_ranks, suspicion, verdict

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

EMBEDDINGS = Path("data/embeddings")


class Texts(NamedTuple):
    """The labels of one source as indices: columns of the gallery and rows of its query file."""

    columns: Integers
    rows: Integers
    texts: list[str]


class Signs(NamedTuple):
    """What one model says of each label; ``(n_labels,)`` each, NaN where there is no such sign."""

    image_rank: Integers
    text_rank: Integers
    text_alike: Floats
    image_alike: Floats
    blame: list[str]


class Finding(NamedTuple):
    """A row of data/audit/SOURCE.csv, figures being means over models."""

    image_id: str
    text: str
    suspicion: float
    speaks_against: str
    why: str
    image_rank: float
    text_rank: float
    text_alike: float
    image_alike: float


def read_texts(source: str, column_of: dict[str, int]) -> Texts:
    """Return the labels of a source, sorted by image and text."""
    row_of = {query: row for row, query in enumerate(read_queries(Path(f"data/queries/{source}.tsv")))}
    labels = read_csv(Path(f"data/labels/{source}.csv"), ["image_id", "text"])
    indexed = sorted((column_of[x["image_id"]], row_of[query_id(x["text"])], x["text"]) for x in labels)
    columns, rows, texts = zip(*indexed, strict=True)
    return Texts(np.array(columns), np.array(rows), list(texts))


def typical_scores(model: str, source: str) -> tuple[float, dict[str, float]]:
    """Return the median score of relevant images ranked first, and each query's best irrelevant score."""
    ranked = read_csv(Path(f"data/ranks/{model}/{source}.csv"), ["query_id", "relevance", "rank", "score"])
    first = [float(x["score"]) for x in ranked if int(x["relevance"]) > 0 and x["rank"] == "1"]
    irrelevant = {x["query_id"]: float(x["score"]) for x in ranked if int(x["relevance"]) == 0}
    return (float(np.median(first)) if first else np.inf), irrelevant


def read_signs(model: str, source: str, all_texts: dict[str, Texts], query_ids: Sequence[str]) -> Signs:
    """Return the signs that one model gives for the labels of one source."""
    images = np.load(EMBEDDINGS / model / "images.npy", mmap_mode="r")
    vectors = {name: np.load(EMBEDDINGS / model / f"{name}.npy") for name in all_texts}
    ours = all_texts[source]
    rank = pair_ranks(vectors[source], images, ours.rows, ours.columns)
    typical, irrelevant = typical_scores(model, source)
    best_irrelevant = np.array([irrelevant.get(query_ids[row], -1.0) for row in ours.rows])
    offsets = np.cumsum([0, *(len(matrix) for matrix in vectors.values())])
    items = [texts.rows + offset for texts, offset in zip(all_texts.values(), offsets, strict=False)]
    owners = [texts.columns for texts in all_texts.values()]
    alike = best_alike(np.concatenate(list(vectors.values())), np.concatenate(items), np.concatenate(owners))
    start = sum(len(all_texts[name].rows) for name in list(all_texts)[: list(all_texts).index(source)])
    return Signs(
        image_rank=rank,
        text_rank=pair_ranks(images, vectors[source], ours.columns, ours.rows),
        text_alike=alike[start : start + len(ours.rows)],
        image_alike=best_alike(images, ours.columns, ours.rows),
        blame=blame(rank, best_irrelevant, typical),
    )


def explain(finding: Finding, n_images: int, n_texts: int) -> str:
    """Say in a few words what speaks against a label, the strongest sign first."""
    signs = [
        (np.log(finding.image_rank) / np.log(n_images + 1), f"image ranks {finding.image_rank:.0f} for it"),
        (
            np.log(finding.text_rank) / np.log(n_texts + 1),
            f"text ranks {finding.text_rank:.0f} for the image",
        ),
        (1 - finding.text_alike, f"unlike the image's other texts ({finding.text_alike:.2f})"),
        (1 - finding.image_alike, f"unlike its other images ({finding.image_alike:.2f})"),
    ]
    there = sorted((item for item in signs if not np.isnan(item[0])), reverse=True)
    return "; ".join(text for _, text in there[:2])


def findings(ours: Texts, by_model: Sequence[Signs], image_ids: Sequence[str], n_texts: int) -> list[Finding]:
    """Return every label with its suspicion, the most suspicious first."""
    score = suspicion(
        [
            sign
            for signs in by_model
            for sign in (
                np.log(signs.image_rank),
                np.log(signs.text_rank),
                -signs.text_alike,
                -signs.image_alike,
            )
        ]
    )
    means = [
        np.mean([signs.image_rank for signs in by_model], axis=0),
        np.mean([signs.text_rank for signs in by_model], axis=0),
        np.mean([signs.text_alike for signs in by_model], axis=0),
        np.mean([signs.image_alike for signs in by_model], axis=0),
    ]
    rows = []
    for i, text in enumerate(ours.texts):
        against = verdict([signs.blame[i] for signs in by_model])
        figures = [float(mean[i]) for mean in means]
        row = Finding(image_ids[ours.columns[i]], text, float(score[i]), against, "", *figures)
        rows.append(row._replace(why=explain(row, len(image_ids), n_texts)))
    return sorted(rows, key=lambda row: (-row.suspicion, row.image_id, row.text))


def main(params: Params, source: str) -> None:
    image_ids = [image.image_id for image in read_gallery(ARTIFACTS.manifest, params.data.images)]
    column_of = {image_id: column for column, image_id in enumerate(image_ids)}
    all_texts = {name: read_texts(name, column_of) for name in params.label.sources}
    query_ids = list(read_queries(Path(f"data/queries/{source}.tsv")))
    by_model = [read_signs(model, source, all_texts, query_ids) for model in params.embed.models]
    rows = findings(all_texts[source], by_model, image_ids, len(query_ids))
    write_csv(Path(f"data/audit/{source}.csv"), Finding._fields, [_rounded(row) for row in rows])
    counts = {word: sum(row.speaks_against == word for row in rows) for word in ("label", "model", "unclear")}
    say(f"audit {source}: of {len(rows)} labels the search speaks against {counts}")


def _rounded(row: Finding) -> Sequence[object]:
    return ["" if value != value else f"{value:.4f}" if isinstance(value, float) else value for value in row]


if __name__ == "__main__":
    run(main, "source")
