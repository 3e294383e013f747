"""Labels of a gallery by one source: texts made safe, and a reason for every image that has none."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.formats.fields import FieldText
from text2image.formats.kinds import join_kinds, split_kinds
from text2image.formats.texts import count_words, normalise_text, query_id
from text2image.labels.protocol.answers import collect_answers
from text2image.labels.protocol.source import FreeSource, Inputs, Label, LabelSource, NoLabel, PaidSource

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of confidences
MAX_TEXT = 300  # characters: no query is longer, and text towers read about 64 words at most

SHORTENED = f"text cut after {MAX_TEXT} characters"
REPEATED = "text that the image has already"


class Labelling(NamedTuple):
    """What a source made of a gallery.

    Attributes:
        labels: sorted by image and text, without repeats.
        unlabelled: why images have no label, and what of the source belongs to no image; sorted.
        words: ``(image_id, number)``: words on the image if the source reads them, else in its longest text.
        figures: what metrics/labels/SOURCE.json says.
        unanswered: how many images the source was asked about without an answer that lasts; the next run asks again.
    """

    labels: list[Label]
    unlabelled: list[NoLabel]
    words: list[tuple[str, int]]
    figures: dict[str, Any]
    unanswered: int = 0


def label_images(
    name: str, source: LabelSource, images: Sequence[ImageFile], inputs: Inputs, runtime: Runtime
) -> Labelling:
    """Label images by a source, asking it only for what the store does not hold."""
    items: list[Label | NoLabel]
    words: list[tuple[str, int]] = []
    more: dict[str, Any] = {}
    unanswered = 0
    if isinstance(source, FreeSource):
        items = list(source.label(images, inputs))
        more = source.figures()
    else:
        limit = source.max_images if isinstance(source, PaidSource) else None
        answers = collect_answers(name, source, images[:limit], runtime)
        unanswered = len(images[:limit]) - sum(not answer.get("transient") for answer in answers.values())
        items = [NoLabel(image.image_id, "not asked") for image in images if image.image_id not in answers]
        for image_id in (image.image_id for image in images if image.image_id in answers):
            items += source.read(image_id, answers[image_id])
            if (count := source.count_words(answers[image_id])) is not None:
                words.append((image_id, count))
        if isinstance(source, PaidSource):
            more = source.figures(answers.values())
    labels, unlabelled = clean(items)
    figures = summarise(len(images), labels, unlabelled) | more
    if remarks := [*more.get("remarks", ()), *shortened_remark(unlabelled)]:
        figures["remarks"] = remarks
    return Labelling(labels, unlabelled, words or words_in_texts(images, labels), figures, unanswered)


def field_texts(
    name: str, source: LabelSource, images: Sequence[ImageFile], inputs: Inputs, runtime: Runtime
) -> tuple[list[FieldText], int]:
    """Return all that a source says of images as text, on one line each, image by image in the gallery's order.

    The source is asked only for what the store does not hold. The second value counts the images that it was asked about
    without an answer that lasts.
    """
    if isinstance(source, FreeSource):
        items = [one for one in source.label(images, inputs) if isinstance(one, Label)]
        texts = [FieldText(label.image_id, label.text, label.confidence) for label in items]
        unanswered = 0
    else:
        limit = source.max_images if isinstance(source, PaidSource) else None
        answers = collect_answers(name, source, images[:limit], runtime)
        unanswered = len(images[:limit]) - sum(not answer.get("transient") for answer in answers.values())
        texts = [
            text
            for image in images
            if image.image_id in answers
            for text in source.texts(image.image_id, answers[image.image_id])
        ]
    place = {image.image_id: number for number, image in enumerate(images)}
    plain = (text._replace(text=normalise_text(text.text)) for text in texts)
    return sorted((text for text in plain if text.text), key=lambda text: place[text.image_id]), unanswered


def clean(items: Iterable[Label | NoLabel]) -> tuple[list[Label], list[NoLabel]]:
    """Return labels with normalised texts, and the reasons why there are no others, both sorted.

    Texts are not trusted: they become one line of visible characters, at most ``MAX_TEXT`` of them; those that were
    longer are listed with what has no label. Of several labels of an image with the same text, the first is kept,
    with the kinds of all, and the others are listed.
    """
    labels: dict[tuple[str, str], Label] = {}
    unlabelled = []
    for item in items:
        if isinstance(item, NoLabel):
            unlabelled.append(item)
            continue
        whole = normalise_text(item.text)
        text = shorten(whole)
        if text != whole:
            unlabelled.append(NoLabel(item.image_id, SHORTENED))
        if not text:
            unlabelled.append(NoLabel(item.image_id, "text without a visible character"))
        elif (item.image_id, text) in labels:
            unlabelled.append(NoLabel(item.image_id, REPEATED))
            first = labels[item.image_id, text]
            kinds = split_kinds(first.kind) + split_kinds(item.kind)
            labels[item.image_id, text] = first._replace(kind=join_kinds(kinds))
        else:
            labels[item.image_id, text] = item._replace(text=text)
    return [label for _, label in sorted(labels.items())], sorted(unlabelled)


def shortened_remark(unlabelled: Iterable[NoLabel]) -> list[str]:
    """Say how many texts were cut, if any were."""
    n = sum(item.reason == SHORTENED for item in unlabelled)
    return [f"{n:,} {'text is' if n == 1 else 'texts are'} cut after {MAX_TEXT} characters"] if n else []


def shorten(text: str) -> str:
    """Return ``text``, cut after the last word that ends within ``MAX_TEXT`` characters."""
    if len(text) <= MAX_TEXT:
        return text
    head, blank, _ = text[: MAX_TEXT + 1].rpartition(" ")
    return head if blank else text[:MAX_TEXT]


def words_in_texts(images: Sequence[ImageFile], labels: Iterable[Label]) -> list[tuple[str, int]]:
    """Return ``(image_id, number)`` of the words in the longest text of each image, 0 for an image without."""
    words: dict[str, int] = defaultdict(int)
    for label in labels:
        words[label.image_id] = max(words[label.image_id], count_words(label.text))
    return [(image.image_id, words[image.image_id]) for image in images]


def summarise(images: int, labels: Sequence[Label], unlabelled: Sequence[NoLabel]) -> dict[str, Any]:
    """Return what the metrics say of the labels of any source, in a gallery of so many ``images``."""
    confidences = [label.confidence for label in labels if label.confidence is not None]
    kinds = Counter(kind for label in labels for kind in split_kinds(label.kind))
    quantiles = np.quantile(confidences, QUANTILES).tolist() if confidences else []
    return {
        "images": images,
        "labelled_images": len({label.image_id for label in labels}),
        "pairs": len(labels),
        "unique_texts": len({query_id(label.text) for label in labels}),
        "mean_words": sum(count_words(label.text) for label in labels) / max(1, len(labels)),
        "confidence": {
            f"q{100 * share:02.0f}": value for share, value in zip(QUANTILES, quantiles, strict=False)
        },
        "without_label": dict(sorted(Counter(item.reason for item in unlabelled).items())),
        **({"kinds": dict(sorted(kinds.items()))} if kinds else {}),
    }
