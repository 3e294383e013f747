"""JPEG files decoded and resized by a GPU of NVIDIA's (``embed.decode: gpu``), by nvJPEG through torchvision.

Its pixels are not quite those of the CPU's decoder: the colours of two pixels that share theirs are interpolated in another
way, by up to some 15 of 255 levels at edges. So what is made of them has a key of its own in the store. Which files it
cannot decode depends on the file alone; these, and all that are no JPEG, are decoded as on a CPU.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg

from text2image.collection.manifest import ImageFile
from text2image.encoders.images.decoding import Encoded, cut, pixels_of
from text2image.encoders.images.preprocessing import Preprocessing

Decode = Callable[[list[Tensor]], list[Tensor]]

PIXELS_AT_ONCE = 64_000_000
"""Pixels of pictures that are decoded and resized together: some 1.5 GB on the device."""

NO_MEMORY = re.compile(r"out of memory|Failed to [a-z ]+: 5\b")
"""In what torchvision says of any failure on a GPU: torch's words and nvJPEG's status (NVJPEG_STATUS_ALLOCATOR_FAILURE)."""


def decode_inputs(
    images: Sequence[ImageFile],
    inputs: Sequence[Tensor | Encoded],
    preprocessing: Preprocessing,
    device: torch.device,
    decode: Decode | None = None,
) -> Tensor:
    """Return the inputs of images on a device, ``(n, 3, height, width)`` uint8, resized and cropped.

    Args:
        images: whose inputs these are.
        inputs: of each, what is resized already, or its file.
        preprocessing: with a step ``resize``.
        decode: files ``(n_bytes,)`` uint8 to pixels ``(3, height, width)`` uint8 on the device; None for nvJPEG.
    """
    nvjpeg = decode or partial(by_nvjpeg, device=device)
    made: dict[int, Tensor] = {}
    for rows in _at_once(inputs):
        files = {id(each): each for row in rows if isinstance(each := inputs[row], Encoded)}
        pictures = dict(zip(files, decode_files(list(files.values()), nvjpeg), strict=True))
        alike: dict[torch.Size, list[int]] = defaultdict(list)
        parts: dict[int, Tensor] = {}
        for row in rows:
            each, picture = inputs[row], pictures.get(id(inputs[row]))
            if isinstance(each, Tensor):
                made[row] = each.to(device)
            elif picture is None:
                made[row] = on_processor(images[row], each, preprocessing).to(device)
            else:
                parts[row] = cut(each.upright(picture), images[row])
                alike[parts[row].shape].append(row)
        for some in alike.values():
            made.update(
                zip(some, _resize(torch.stack([parts[row] for row in some]), preprocessing), strict=True)
            )
    return torch.stack([made[row] for row in range(len(inputs))])


def by_nvjpeg(files: list[Tensor], device: torch.device) -> list[Tensor]:
    """Return the pixels of files, ``(3, height, width)`` uint8 on a device.

    nvJPEG writes on a stream of its own, into memory that torch takes for the current stream and may have lent before to
    work there that is not done yet: so that is waited for.
    """
    torch.cuda.current_stream(device).synchronize()
    pictures: list[Tensor] = decode_jpeg(files, ImageReadMode.RGB, device=device)
    return pictures


def decode_files(files: Sequence[Encoded], decode: Decode) -> list[Tensor | None]:
    """Return the pixels of files as they lie in them; None of those that cannot be decoded so.

    Raises:
        OutOfMemoryError: the device's memory does not suffice, which says nothing of the files.
    """
    if not files:
        return []
    try:
        return list(decode([each.content for each in files]))
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # one of them is of a kind that nvJPEG does not know
        if NO_MEMORY.search(str(error)):
            raise torch.OutOfMemoryError(str(error)) from None
        if len(files) == 1:
            return [None]
        return [picture for each in files for picture in decode_files([each], decode)]


def on_processor(image: ImageFile, encoded: Encoded, preprocessing: Preprocessing) -> Tensor:
    """Return an image's input as on a CPU, ``(3, height, width)`` uint8."""
    whole = image._replace(box=None)
    return preprocessing.prepare(pixels_of(whole, encoded.content.numpy().tobytes()), image)


def _resize(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    if preprocessing.resize is None:
        raise TypeError("expected a preprocessing whose first step is made of tensors, found another")
    return preprocessing.resize(pixels)


def _at_once(inputs: Sequence[Tensor | Encoded]) -> Iterator[list[int]]:
    """Yield places of inputs, in order, as many as have ``PIXELS_AT_ONCE`` to be decoded, but at least one."""
    rows, pixels = list[int](), 0
    for row, each in enumerate(inputs):
        more = each.n_pixels if isinstance(each, Encoded) else 0
        if rows and pixels + more > PIXELS_AT_ONCE:
            yield rows
            rows, pixels = [], 0
        rows.append(row)
        pixels += more
    if rows:
        yield rows
