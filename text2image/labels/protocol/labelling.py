"""Labels of a gallery by one source: texts made safe, and a reason for every image that has none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.formats.texts import normalise_text
from text2image.labels.protocol.answers import collect_answers
from text2image.labels.protocol.source import (
    Answer,
    FreeSource,
    Inputs,
    Label,
    LabelSource,
    NoLabel,
    PaidSource,
    StoredSource,
)
from text2image.labels.protocol.summary import summarise

MAX_TEXT = 300  # characters: no query is longer, and text towers read about 64 words at most


class Labelling(NamedTuple):
    """What a source made of a gallery.

    Attributes:
        labels: sorted by image and text, without repeats.
        unlabelled: why images have no label, and what of the source belongs to no image; sorted.
        words: ``(image_id, number)``: words on the image if the source reads them, else in its longest text.
        figures: what metrics/labels/SOURCE.json says.
    """

    labels: list[Label]
    unlabelled: list[NoLabel]
    words: list[tuple[str, int]]
    figures: dict[str, Any]


def label_images(
    name: str, source: LabelSource, images: Sequence[ImageFile], inputs: Inputs, runtime: Runtime
) -> Labelling:
    """Label images by a source, asking it only for what the store does not hold."""
    if isinstance(source, FreeSource):
        labels, unlabelled = clean(source.label(images, inputs))
        words = words_in_texts(images, labels)
        return Labelling(labels, unlabelled, words, summarise(len(images), labels, unlabelled))
    limit = source.max_images if isinstance(source, PaidSource) else None
    answers = collect_answers(name, source, images[:limit], runtime)
    labels, unlabelled = clean(read_answers(source, images, answers))
    words = words_on_images(source, images, answers) or words_in_texts(images, labels)
    figures = summarise(len(images), labels, unlabelled)
    if isinstance(source, PaidSource):
        figures |= source.figures(answers.values())
    return Labelling(labels, unlabelled, words, figures)


def read_answers(
    source: StoredSource, images: Sequence[ImageFile], answers: Mapping[str, Answer]
) -> Iterable[Label | NoLabel]:
    """Return what a source reads in answers; images without one were not asked about."""
    asked = [image.image_id for image in images if image.image_id in answers]
    left_out = [NoLabel(image.image_id, "not asked") for image in images if image.image_id not in answers]
    return chain(left_out, *(source.read(image_id, answers[image_id]) for image_id in asked))


def clean(items: Iterable[Label | NoLabel]) -> tuple[list[Label], list[NoLabel]]:
    """Return labels with normalised texts, and the reasons why there are no others, both sorted.

    Texts are not trusted: they become one line of visible characters, at most ``MAX_TEXT`` of them. Of several
    labels of an image with the same text, the first is kept.
    """
    labels: dict[tuple[str, str], Label] = {}
    unlabelled = []
    for item in items:
        if isinstance(item, NoLabel):
            unlabelled.append(item)
        elif text := shorten(normalise_text(item.text)):
            labels.setdefault((item.image_id, text), item._replace(text=text))
        else:
            unlabelled.append(NoLabel(item.image_id, "text without a visible character"))
    return [label for _, label in sorted(labels.items())], sorted(unlabelled)


def shorten(text: str) -> str:
    """Return ``text``, cut after the last word that ends within ``MAX_TEXT`` characters."""
    if len(text) <= MAX_TEXT:
        return text
    head, blank, _ = text[: MAX_TEXT + 1].rpartition(" ")
    return head if blank else text[:MAX_TEXT]


def words_on_images(
    source: StoredSource, images: Sequence[ImageFile], answers: Mapping[str, Answer]
) -> list[tuple[str, int]]:
    """Return ``(image_id, number)`` of the words that a source read on images; none if it reads none."""
    ids = [image.image_id for image in images if image.image_id in answers]
    counts = ((image_id, source.count_words(answers[image_id])) for image_id in ids)
    return [(image_id, count) for image_id, count in counts if count is not None]


def words_in_texts(images: Sequence[ImageFile], labels: Iterable[Label]) -> list[tuple[str, int]]:
    """Return ``(image_id, number)`` of the words in the longest text of each image, 0 for an image without."""
    words: dict[str, int] = defaultdict(int)
    for label in labels:
        words[label.image_id] = max(words[label.image_id], len(label.text.split()))
    return [(image.image_id, words[image.image_id]) for image in images]
