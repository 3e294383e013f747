"""Stage ``label@SOURCE``: give images texts by one source; ``python -m stages.label SOURCE [--estimate]``.

``--estimate`` says what a source that is paid would cost, and does nothing else.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, progress, say
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile, read_gallery, read_manifest
from text2image.formats.files import write_json
from text2image.formats.tables import write_csv
from text2image.formats.texts import normalise_text, query_id
from text2image.labels.protocol.source import Answer, Context, Label, Labeler, NoLabel, load
from text2image.params import Params

MAX_TEXT = 300  # characters: no query is longer, and text towers read about 64 words at most
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def answers(labeler: Labeler, source: str, images: Sequence[ImageFile]) -> dict[str, Answer]:
    """Return ``{image_id: answer}``, asking the source only for what the store does not hold.

    Each answer is stored the moment it comes. Images that the source left out are not in the result.
    """
    if labeler.determinants is None:
        return dict(labeler.ask(images))
    with Store(f"labels/{source}", dict(labeler.determinants)) as store, _alone(labeler, store):
        kept, passing = stored(store, images), {}
        with ExitStack() as stack:
            coming = stack.enter_context(closing(_ask(labeler, images, kept)))
            bar = None
            for image_id, answer in coming:
                bar = bar or stack.enter_context(
                    progress(total=len(images), done=len(kept), unit="image", title=f"label {source}")
                )
                if answer.get("passing"):
                    passing[image_id] = answer
                else:
                    store.put([(image_id, json.dumps(answer).encode())])
                bar.update(image_id not in kept)
        return passing | stored(store, images)


def _ask(
    labeler: Labeler, images: Sequence[ImageFile], kept: Mapping[str, Answer]
) -> Generator[tuple[str, Answer], None, None]:
    if labeler.resume is not None:
        yield from labeler.resume(images, kept)
    elif missing := [image for image in images if image.image_id not in kept]:
        yield from labeler.ask(missing)


def _alone(labeler: Labeler, store: Store) -> AbstractContextManager[None]:
    """Return what keeps two processes from paying twice, for sources that are paid."""
    if labeler.resume is None:
        return nullcontext()
    from text2image.base.lock import exclusive_lock

    return exclusive_lock(store.path)


def stored(store: Store, images: Sequence[ImageFile]) -> dict[str, Answer]:
    """Return the answers that the store holds for ``images``."""
    return {image_id: json.loads(value) for image_id, value in store.get(image.image_id for image in images)}


def estimate(labeler: Labeler, source: str, images: Sequence[ImageFile]) -> str:
    """Return what labelling these images would cost."""
    if labeler.estimate is None or labeler.determinants is None:
        return f"label {source}: costs nothing but time"
    with Store(f"labels/{source}", dict(labeler.determinants)) as store:
        return labeler.estimate(images, stored(store, images))


def read_answers(
    labeler: Labeler, images: Sequence[ImageFile], given: Mapping[str, Answer]
) -> tuple[list[Label], list[NoLabel]]:
    """Turn answers into labels with normalised texts, and the reasons why images have none.

    Texts are not trusted: they become one line of visible characters, at most ``MAX_TEXT`` of them.
    """
    labels: list[Label] = []
    without = list(labeler.strays)
    for image in images:
        answer = given.get(image.image_id)
        if answer is None:
            without.append(NoLabel(image.image_id, "not asked"))
            continue
        found: dict[str, Label] = {}
        for item in labeler.read(image.image_id, answer):
            if isinstance(item, NoLabel):
                without.append(item)
            elif text := shortened(normalise_text(item.text)):
                found.setdefault(text, item._replace(text=text))
            else:
                without.append(NoLabel(image.image_id, "text without a visible character"))
        labels += found.values()
    return labels, without


def shortened(text: str) -> str:
    """Return ``text``, cut after the last word that ends within ``MAX_TEXT`` characters."""
    if len(text) <= MAX_TEXT:
        return text
    head, blank, _ = text[: MAX_TEXT + 1].rpartition(" ")
    return head if blank else text[:MAX_TEXT]


def summary(images: int, labels: Sequence[Label], without: Sequence[NoLabel]) -> dict[str, Any]:
    """Return what ``metrics/labels/SOURCE.json`` says of every source."""
    texts = {query_id(label.text): label.text for label in labels}
    confidences = [label.confidence for label in labels if label.confidence is not None]
    quantiles = np.quantile(confidences, QUANTILES).tolist() if confidences else []
    return {
        "images": images,
        "labelled_images": len({label.image_id for label in labels}),
        "pairs": len(labels),
        "unique_texts": len(texts),
        "mean_words": sum(len(label.text.split()) for label in labels) / max(1, len(labels)),
        "confidence": {
            f"q{100 * share:02.0f}": value for share, value in zip(QUANTILES, quantiles, strict=False)
        },
        "without_label": dict(sorted(Counter(item.reason for item in without).items())),
    }


def words_per_image(
    labeler: Labeler, images: Sequence[ImageFile], given: Mapping[str, Answer], labels: Sequence[Label]
) -> list[tuple[str, int]]:
    """Return ``(image_id, words)``: on the image if the source reads them, else in its longest text."""
    texts: dict[str, list[int]] = defaultdict(lambda: [0])
    for label in labels:
        texts[label.image_id].append(len(label.text.split()))
    count = labeler.words
    if count is None:
        return [(image.image_id, max(texts[image.image_id])) for image in images]
    return [(i.image_id, count(given[i.image_id])) for i in images if i.image_id in given]


def with_engine(labeler: Labeler, source: str, params: Params) -> Labeler:
    """Return a source that computes on a cluster, if ``runtime.engine`` says so and it computes at all."""
    if params.runtime.engine == "local" or labeler.start is None or labeler.determinants is None:
        return labeler
    from text2image.cluster.workers import ask_on_cluster

    settings = getattr(params.label, source)
    return labeler._replace(
        ask=partial(ask_on_cluster, source, settings, context_of(source, params), labeler.determinants)
    )


def context_of(source: str, params: Params) -> Context:
    """Return what a source needs besides its settings."""
    return Context(
        params.runtime, read_manifest(ARTIFACTS.manifest), params.data.images, ARTIFACTS.label_inputs(source)
    )


def load_source(source: str, params: Params) -> Labeler:
    """Return the labeler of a source as params.yaml sets it up."""
    return load(source, getattr(params.label, source), context_of(source, params))


def main(params: Params, source: str) -> None:
    images = read_gallery(ARTIFACTS.manifest, params.data.images)
    labeler = with_engine(load_source(source, params), source, params)
    wanted = images[: labeler.limit]
    given = answers(labeler, source, wanted)
    labels, without = read_answers(labeler, images, given)
    figures = summary(len(images), labels, without)
    if labeler.figures is not None:
        figures |= labeler.figures(given.values())
    if not labels:
        raise InputError(
            f"expected at least one label from source '{source}' (params keys label.sources and label.{source}), "
            f"found none for {len(images)} images ({figures['without_label']})"
        )
    labels.sort(key=lambda label: (label.image_id, label.text))
    rows = [
        (image_id, text, "" if confidence is None else confidence) for image_id, text, confidence in labels
    ]
    write_csv(Path(f"data/labels/{source}.csv"), Label._fields, rows)
    write_csv(Path(f"data/labels/{source}_without.csv"), NoLabel._fields, sorted(without))
    words = words_per_image(labeler, images, given, labels)
    write_csv(Path(f"data/labels/{source}_words.csv"), ("image_id", "words"), words)
    write_json(Path(f"metrics/labels/{source}.json"), figures)
    say(f"label {source}: {figures['labelled_images']} of {len(images)} images, {len(labels)} pairs")


if __name__ == "__main__":
    run(main, "source")
