"""What of an image leaves this machine: upright RGB pixels, scaled down, as a JPEG without metadata."""

import base64
import io
from typing import NamedTuple

from PIL import Image

from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile

ENCODING = "jpeg 85 lanczos 1"  # part of what determines an answer: count up when pixels change, see tests/labels/test_golden_inputs.py
QUALITY = 85


class Upload(NamedTuple):
    """An image as it is uploaded: what its answer is stored under, a data URL, and its size in pixels."""

    key: str
    url: str
    width: int
    height: int


def reduced(image: Image.Image, max_side: int) -> Image.Image:
    """Return the pixels of an RGB image whose longer side is at most ``max_side``, never enlarged, and nothing else."""
    scale = min(1.0, max_side / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    bare = Image.new("RGB", (width, height))
    bare.paste(image.resize((width, height), Image.Resampling.LANCZOS) if scale < 1 else image)
    return bare


def jpeg(image: Image.Image, max_side: int) -> bytes:
    """Return an RGB image, :func:`reduced`, as a JPEG.

    The pixels are all that is kept: no EXIF, colour profile, comment or thumbnail. The same image
    gives the same bytes.
    """
    return _encoded(reduced(image, max_side))


def _encoded(bare: Image.Image) -> bytes:
    out = io.BytesIO()
    bare.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def upload(key: str, image: ImageFile, max_side: int) -> Upload:
    """Return an image as a data URL, for a request whose answer is stored under ``key``.

    Raises:
        InputError: the file is not what the catalog saw.
    """
    sent = reduced(open_image(image), max_side)
    url = f"data:image/jpeg;base64,{base64.b64encode(_encoded(sent)).decode()}"
    return Upload(key, url, sent.width, sent.height)
