"""Small images: good ones, as files, and a bomb."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from text2image.collection.images import identify
from text2image.collection.manifest import ImageFile


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def image_file(path: Path) -> ImageFile:
    """Return the image that a file holds, as the catalog would say."""
    return identify(path, 100_000_000)


def gradient(size: tuple[int, int] = (32, 24)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")


def golden_picture(width: int, height: int) -> Image.Image:
    """Return noise and a hard edge, made of whole numbers: the same everywhere, for golden values."""
    numbers = np.arange(height * width * 3, dtype=np.int64) ** 2 * 7 % 65521 % 256
    pixels = numbers.astype(np.uint8).reshape(height, width, 3)
    pixels[: height // 2, : width // 3] = (255, 0, 40)
    return Image.fromarray(pixels)


def deep_png(values: np.ndarray) -> bytes:
    """Return a PNG of 16 bits a channel, which Pillow does not write; ``values``: ``(height, width, n)``, n = 2: grey and alpha, 3: RGB."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2}[channels], 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return content


def bomb() -> bytes:
    """A PNG of a few hundred bytes that claims 40,000 × 40,000 pixels."""
    content = bytearray(encoded(Image.new("1", (8, 8))))
    content[16:24] = (40_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)
