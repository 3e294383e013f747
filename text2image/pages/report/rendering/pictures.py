"""Sheets of pictures, made small enough to send around."""

import io

from PIL import Image

QUALITY = 80


def is_picture(data: bytes) -> bool:
    """Return whether Pillow reads these bytes as an image (it reads no SVG)."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, ValueError, Image.DecompressionBombError):
        return False
    return True


def small(data: bytes, form: str, width: int | None = None) -> bytes:
    """Return an image file as WEBP, JPEG, or PNG of at most 256 colours, at most ``width`` pixels wide.

    Raises:
        OSError: the bytes are no image that Pillow reads.
    """
    with Image.open(io.BytesIO(data)) as image:
        page = image.convert("RGB")
    if width is not None and page.width > width:
        page = page.resize((width, round(page.height * width / page.width)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    if form == "PNG":
        page.quantize(256).save(out, form, optimize=True)
    else:
        page.save(out, form, quality=QUALITY)
    return out.getvalue()
