"""Batches of images, read and preprocessed: all that is done of them outside the device that computes."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from torch import Tensor

from text2image.base.console import InputError
from text2image.collection.images import each_whole
from text2image.collection.manifest import ImageFile
from text2image.encoders.images.decoding import Encoded, open_encoded
from text2image.encoders.images.preprocessing import Preprocessing

TOGETHER = (
    64  # views prepared as one, or two batches if that is more: few enough for memory, enough to fill batches
)


class Prepared(NamedTuple):
    """The images of some batches that could be opened, and why others could not.

    Attributes:
        images: those that could be opened.
        inputs: of each of them, what :attr:`Preprocessing.prepare` makes, ``(3, height, width)``; or its whole file, which
            an accelerator is to decode.
        error: of the first image that could not be opened; None if all could.
    """

    images: Sequence[ImageFile]
    inputs: Sequence[Tensor | Encoded]
    error: InputError | None


def prepare(batch: Sequence[ImageFile], preprocessing: Preprocessing, *, encoded: bool = False) -> Prepared:
    """Read, decode and preprocess images.

    Args:
        encoded: leave JPEG files as they are, for an accelerator to decode.
    """
    if encoded:
        made, error = each_whole(batch, open_encoded, partial(_encoded_or_prepared, preprocessing))
    else:
        made, error = each_whole(batch, preprocessing.open_whole, preprocessing.prepare)
    return Prepared([image for image, _ in made], [prepared for _, prepared in made], error)


def _encoded_or_prepared(
    preprocessing: Preprocessing, opened: Encoded | Tensor, image: ImageFile
) -> Encoded | Tensor:
    return opened if isinstance(opened, Encoded) else preprocessing.prepare(opened, image)


def regroup(pieces: Iterable[Prepared], size: int) -> Iterator[Prepared]:
    """Yield the images of pieces ``size`` at a time, in order, the last batch with what is left.

    The images before and beside one that could not be opened are yielded at once, with its error.
    """
    images, inputs = list[ImageFile](), list[Tensor | Encoded]()
    for piece in pieces:
        images, inputs = [*images, *piece.images], [*inputs, *piece.inputs]
        while len(images) >= size:
            yield Prepared(images[:size], inputs[:size], None)
            images, inputs = images[size:], inputs[size:]
        if piece.error:
            yield Prepared(images, inputs, piece.error)
            return
    if images:
        yield Prepared(images, inputs, None)


def cut_batches(images: Sequence[ImageFile], size: int) -> Iterator[Sequence[ImageFile]]:
    """Yield images ``size`` at a time; where views of one image would come apart, several batches as one.

    Such a piece ends where its batches are full, or else before the first image with which it would have more than
    ``TOGETHER`` views, or two batches if that is more.
    """
    most, piece = max(TOGETHER, 2 * size), list[ImageFile]()
    for _, views in groupby(images, lambda image: image.image_id):
        some = list(views)
        if piece and len(piece) + len(some) > most:
            yield piece
            piece = []
        piece += some
        if len(piece) % size == 0:
            yield piece
            piece = []
    if piece:
        yield piece
