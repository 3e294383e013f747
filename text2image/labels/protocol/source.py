"""Label sources: each turns images into texts, one module a source.

A source is described by two functions and its determinants (:class:`Labeler`). What is costly is an
*answer*: whatever the source said of one image, as JSON. Answers are kept in the content-addressed
store the moment they come, keyed by the image and by everything else that determines them, so a
kill, a changed threshold or a changed folder never asks twice. Turning answers into labels is
cheap and done anew each time.

To add a source, write ``text2image/labels/NAME/source.py`` with a class ``Settings``, its section
``label.NAME`` of params.yaml, and a function ``labeler(settings, context) -> Labeler``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from text2image.base.settings import Runtime, Section
from text2image.collection.manifest import ImageFile, ManifestEntry

SOURCES = tuple(
    sorted(
        path.parent.name
        for path in Path(__file__).parents[1].glob("*/source.py")
        if path.parent.name != "protocol"
    )
)
"""All label sources: the packages beside this one that hold a ``source.py``."""

Answer = dict[str, Any]
"""What a source said of one image, as JSON. ``{"failure": reason}`` is an answer too, and kept, unless
it also says ``"passing": True``: then it is listed, and the image asked again in the next run."""

Ask = Callable[[Sequence[ImageFile]], Iterator[tuple[str, Answer]]]


class Context(NamedTuple):
    """What a source may need besides its settings.

    Attributes:
        runtime: the section ``runtime`` of params.yaml.
        manifest: every usable file of the collection.
        images: ``data.images``, for what is said to users.
        inputs: the source's table of data/label_inputs, for sources that read more than images.
    """

    runtime: Runtime
    manifest: Sequence[ManifestEntry]
    images: str
    inputs: Path


class Label(NamedTuple):
    """A text for an image; ``confidence`` in [0, 1], or None where the source gives none."""

    image_id: str
    text: str
    confidence: float | None


class NoLabel(NamedTuple):
    """Why an image has no label (or none more) from a source."""

    image_id: str
    reason: str


class Labeler(NamedTuple):
    """One label source, set up with its parameters.

    Attributes:
        determinants: all that determines an answer besides the image: model, weights, prompt,
            preprocessing. JSON. None if answers cost nothing and are not stored.
        ask: yields ``(image_id, answer)`` in any order, as answers come; may stop early, and may
            leave images out: they count as "not asked" and are asked in the next run.
        read: turns the answer for an image into labels, or the reason why there is none.
        strays: what the source has that belongs to no image of the gallery, listed and counted.
        words: the number of words that an answer found on its image, if the source reads them.
        resume: for sources that are paid, instead of ``ask``: is given all images and the answers that
            the store holds for them, chooses what to ask, and yields as ``ask`` does. No two processes
            run it at once.
        limit: label only the first so many images of the gallery; None for all.
        figures: what metrics say of the answers besides what they say for every source.
        estimate: given the same as ``resume``, says in a few lines what it would cost, without asking.
        start: for sources that compute: loads the model and returns what then asks it, as ``ask`` does in one
            step. It lets the workers of a cluster, which are given images bit by bit, load a model once.
    """

    determinants: Mapping[str, Any] | None
    ask: Ask
    read: Callable[[str, Answer], Iterable[Label | NoLabel]]
    strays: Sequence[NoLabel] = ()
    words: Callable[[Answer], int] | None = None
    resume: Callable[[Sequence[ImageFile], Mapping[str, Answer]], Iterator[tuple[str, Answer]]] | None = None
    limit: int | None = None
    figures: Callable[[Iterable[Answer]], Mapping[str, Any]] | None = None
    estimate: Callable[[Sequence[ImageFile], Mapping[str, Answer]], str] | None = None
    start: Callable[[], Ask] | None = None


def settings_of(source: str) -> type[Section]:
    """Return the class that describes a source's section of params.yaml."""
    settings: type[Section] = import_module(f"text2image.labels.{source}.source").Settings
    return settings


def load(source: str, settings: Section, context: Context) -> Labeler:
    """Return the labeler of a source of ``SOURCES``, importing only its module."""
    labeler: Labeler = import_module(f"text2image.labels.{source}.source").labeler(settings, context)
    return labeler
