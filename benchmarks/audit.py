"""How well the audit finds wrong labels, planted in those of this project: ``python -m benchmarks.audit [SOURCE …]``.

After ``dvc repro``. A tenth of a source's labels are put on another image, in ten ways each: on any image (random), or
on one of the three that the first model holds for most like the right one (near misses); never on a near-duplicate of
an image that has the text. Printed are the area under the ROC curve of the suspicion, the share of planted errors among
as many labels of the highest suspicion, and how often each finding stands at planted errors and at other labels. The
models are those by which the stage audits the source. The labels count as right before errors are planted, so the
figures are a little too low.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from text2image.artifacts import ARTIFACTS, existing
from text2image.base.arrays import Floats, Integers, Vectors
from text2image.collection.manifest import read_groups
from text2image.evaluation.labels.audit import NONE_FITS, OTHER_FITS, audit, find_signs, witnesses
from text2image.evaluation.labels.sources import label_pairs
from text2image.formats.origins import circular_pairs, read_origins
from text2image.formats.tables import read_csv
from text2image.formats.trec import read_queries
from text2image.formats.views import ImageVectors, read_image_vectors
from text2image.params import load_params

SHARE, SEEDS = 0.1, 10
LIKE = 3  # a near miss is one of so many images


class Project(NamedTuple):
    """The images of the project, their near-duplicates, and the vectors of a source's texts.

    Attributes:
        image_ids: the gallery.
        groups: ``(n_images,)`` numbers that near-duplicates share.
        images, texts: by model that audits the source, unit rows.
        queries: the ids of the source's texts.
    """

    image_ids: list[str]
    groups: Integers
    images: dict[str, Vectors]
    texts: dict[str, Vectors]
    queries: list[str]


def read_project(source: str) -> tuple[Project, pd.DataFrame]:
    """Return what the pipeline left of a source, and its labels."""
    near = read_groups(ARTIFACTS.catalog)
    image_ids, all_models = sorted(near), load_params().embed.models
    cards = {model: json.loads(ARTIFACTS.card(model).read_text("utf-8")) for model in all_models}
    origins = {source: read_origins(existing(ARTIFACTS.origins(source)))}
    circular = circular_pairs({model: card["origins"] for model, card in cards.items()}, origins)
    models, _ = witnesses(all_models, source, circular)
    project = Project(
        image_ids,
        np.array([near[image] for image in image_ids]),
        {
            model: read_image_vectors(
                ARTIFACTS.image_vectors(model), ARTIFACTS.views(model), image_ids
            ).first()
            for model in models
        },
        {model: np.load(ARTIFACTS.query_vectors(model, source)) for model in models},
        list(read_queries(ARTIFACTS.queries(source))),
    )
    labels = read_csv(ARTIFACTS.labels(source), ["image_id", "text"])
    return project, label_pairs(labels, project.queries, image_ids)


def plant(pairs: pd.DataFrame, project: Project, near: bool, seed: int) -> tuple[pd.DataFrame, Integers]:
    """Put a tenth of the labels on other images; return all labels, and the indices of those."""
    generator = np.random.default_rng(seed)
    bad = generator.choice(len(pairs), max(1, round(SHARE * len(pairs))), replace=False)
    columns, rows, groups = pairs["column"].to_numpy(copy=True), pairs["row"].to_numpy(), project.groups
    images = next(iter(project.images.values()))
    carried = {row: groups[columns[rows == row]] for row in set(rows[bad].tolist())}
    for index in bad:
        others = np.flatnonzero(~np.isin(groups, carried[rows[index]]))
        if near:
            others = others[np.argsort(-(images[others] @ images[columns[index]]), kind="stable")[:LIKE]]
        columns[index] = generator.choice(others)
    return pairs.assign(column=columns, image_id=[project.image_ids[column] for column in columns]), bad


def ranks(pairs: pd.DataFrame, project: Project, model: str) -> pd.DataFrame:
    """Return what the audit needs of a model's ranks: the best relevant and the best irrelevant image of each text."""
    found = []
    for row, columns in pairs.groupby("row")["column"]:
        relevant = np.isin(project.groups, project.groups[columns])
        scores: Floats = project.images[model] @ project.texts[model][row]
        best, other = scores[relevant].max(), scores[~relevant].max(initial=-1.0)
        found += [
            (project.queries[row], 1, 1 + int((scores > best).sum()), best),
            (project.queries[row], 0, 0, other),
        ]
    return pd.DataFrame(found, columns=["query_id", "relevance", "rank", "score"])


def measure(project: Project, pairs: pd.DataFrame, near: bool) -> list[float]:
    """Return the figures of one row, means over the ways to plant errors."""
    found = []
    for seed in range(SEEDS):
        planted, bad = plant(pairs, project, near, seed)
        signs = [
            find_signs(
                planted,
                ImageVectors(project.images[model]),
                project.texts[model],
                ranks(planted, project, model),
            )
            for model in project.images
        ]
        table, wrong = audit(planted, signs, len(project.image_ids)), np.zeros(len(planted), dtype=bool)
        wrong[bad] = True
        wrong = wrong[table.index.to_numpy()]  # the most suspicious first
        auc = roc_auc_score(wrong, table["suspicion"])
        shares = [
            (table["finding"] == word).to_numpy()[of].mean()
            for word in (OTHER_FITS, NONE_FITS)
            for of in (wrong, ~wrong)
        ]
        found.append([auc, wrong[: len(bad)].mean(), *shares])
    means: list[float] = np.mean(found, axis=0).tolist()
    return means


def lines(sources: Iterable[str]) -> Iterator[str]:
    """Yield the table."""
    yield "source    errors       AUC  at the top  another fits: planted, others  none fits: planted, others"
    for source in sources:
        project, pairs = read_project(source)
        for near in (False, True):
            auc, top, *shares = measure(project, pairs, near)
            other, other_right, none, none_right = (f"{share:.2f}" for share in shares)
            yield (
                f"{source:<9} {'near misses' if near else 'random':<11} {auc:.2f} {top:10.2f}  "
                f"{other:>21}, {other_right}  {none:>17}, {none_right}"
            )


if __name__ == "__main__":
    for text in lines(sys.argv[1:] or load_params().label.sources):
        print(text)
