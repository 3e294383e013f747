"""Small images as files, good ones and a bomb."""

from __future__ import annotations

import io
import zlib

from PIL import Image


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def gradient(size: tuple[int, int] = (32, 24)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")


def bomb() -> bytes:
    """A PNG of a few hundred bytes that claims 40,000 × 40,000 pixels."""
    content = bytearray(encoded(Image.new("1", (8, 8))))
    content[16:24] = (40_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)
