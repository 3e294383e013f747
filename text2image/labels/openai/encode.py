"""What of an image leaves this machine: upright RGB pixels, scaled down, as a JPEG without metadata."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

from PIL import Image

from text2image.collection.images import open_image
from text2image.collection.locations import Location

ENCODING = "jpeg 85 lanczos 1"  # part of what determines an answer: count up when the bytes change
QUALITY = 85


class Upload(NamedTuple):
    """An image as it is uploaded: a data URL, its size in pixels, and whose it is."""

    url: str
    width: int
    height: int
    image_id: str = ""


def jpeg(image: Image.Image, max_side: int) -> bytes:
    """Return an RGB image as a JPEG whose longer side is at most ``max_side`` pixels, never enlarged.

    The pixels are all that is kept: no EXIF, colour profile, comment or thumbnail. The same image
    gives the same bytes.
    """
    scale = min(1.0, max_side / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    out = io.BytesIO()
    bare = Image.new("RGB", (width, height))
    bare.paste(image.resize((width, height), Image.Resampling.LANCZOS) if scale < 1 else image)
    bare.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def upload(path: Location, max_side: int) -> Upload:
    """Return the image at ``path`` as a data URL, for a request.

    Raises:
        InputError: the file is not what the catalog saw.
    """
    content = jpeg(open_image(path), max_side)
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    return Upload(f"data:image/jpeg;base64,{base64.b64encode(content).decode()}", width, height)
