"""What a file is by its first bytes: the formats that are decoded, and names for those that are not.

Pillow is told explicitly which formats to open: some of its others start programs (Ghostscript for EPS), some take
nearly any bytes for theirs.
"""

import re
from functools import cache

from PIL import Image

FORMATS = (
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP", "JPEG2000", "PSD", "ICO", "ICNS", "CUR", "DIB", "DDS",
    "PCX", "PPM", "QOI", "SGI", "SUN", "XBM", "XPM", "TGA",
)  # fmt: skip
"""Pillow's names of what is decoded, in the order in which it tries them."""

IMAGE = "convert to JPEG or PNG"
VIDEO = "save a frame as JPEG or PNG"
DOCUMENT = "export its pictures as JPEG or PNG"
BEGINNING = 1024  # bytes in which a text format says what it is

AVIF = "AVIF image"  # decoded where the installed Pillow can
BRANDS = {
    "HEIC image": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"),
    AVIF: (b"avif", b"avis"),
    "Canon raw image": (b"crx ",),
    "QuickTime video": (b"qt  ",),
}
"""Kinds of ISO base media files by their brands; others are videos (ISO/IEC 14496-12, 23008-12)."""

SIGNATURES = (
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL image", IMAGE),
    (rb"II\xbc\x01|II\xbc\x00", "JPEG XR image", IMAGE),
    (rb"8BPS", "Photoshop image of a kind that is not read", IMAGE),
    (rb"gimp xcf", "GIMP image", IMAGE),
    (rb"v/1\x01", "OpenEXR image", IMAGE),
    (rb"#\?(RADIANCE|RGBE)", "Radiance HDR image", IMAGE),
    (rb"BPG\xfb", "BPG image", IMAGE),
    (rb"SIMPLE  =", "FITS image", IMAGE),
    (rb"FUJIFILMCCD-RAW|IIU\0|IIRO|IIRS|MMOR", "camera raw image", IMAGE),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "Windows metafile", IMAGE),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "EPS or PostScript drawing", IMAGE),
    (rb"\x06\x06\xed\xf5\xd8\x1dF\xe5", "InDesign document", DOCUMENT),
    (rb"RIFF.{4}CDR", "CorelDRAW drawing", IMAGE),
    (rb"AT&TFORM", "DjVu document", DOCUMENT),
    (rb"RIFF.{4}AVI ", "AVI video", VIDEO),
    (rb"\x1aE\xdf\xa3", "Matroska or WebM video", VIDEO),
    (rb"\0\0\x01[\xb0-\xbf]", "MPEG video", VIDEO),
    (rb"FLV\x01", "Flash video", VIDEO),
    (rb"0&\xb2u\x8ef\xcf\x11", "Windows Media video", VIDEO),
    (rb"OggS", "Ogg video or sound", VIDEO),
    (rb"PK\x03\x04", "ZIP archive or office document", DOCUMENT),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office document", DOCUMENT),
    (rb"\x1f\x8b", "gzip archive or compressed SVG", DOCUMENT),
    (rb"Rar!|7z\xbc\xaf\x27\x1c", "archive", DOCUMENT),
)
"""What a file begins with, what it is then, and what to do."""

DECODED = (
    (rb"\xff\xd8\xff", "JPEG"), (rb"\x89PNG", "PNG"), (rb"GIF8", "GIF"), (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", "TIFF"),
    (rb"RIFF.{4}WEBP", "WebP"), (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"), (rb"BM.{4}\0\0\0\0", "BMP"),
)  # fmt: skip
"""Formats that are decoded: a file that begins so and cannot be opened is damaged, or of a rare kind."""


@cache
def formats() -> list[str]:
    """Return those of ``FORMATS`` that the installed Pillow has."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def reason(content: bytes) -> str:
    """Say in a short phrase why a file that Pillow does not open as one of ``FORMATS`` is not a usable image."""
    for signature, name in DECODED:
        if re.match(signature, content, re.DOTALL):
            return f"damaged image ({name}, or a kind of it that is not read)"
    named = _named(content)
    if named and named[0] == AVIF and "AVIF" in formats():
        return "damaged image (AVIF, or a kind of it that is not read)"
    return f"{named[0]} (not supported: {named[1]})" if named else "not an image"


def _named(content: bytes) -> tuple[str, str] | None:
    """Return what a file is that is not decoded, and what to do; None for what is not known."""
    if content[4:8] == b"ftyp":
        brand = content[8:12]
        name = next((name for name, brands in BRANDS.items() if brand in brands), "MP4 video")
        return name, VIDEO if name.endswith("video") else IMAGE
    for signature, name, advice in SIGNATURES:
        if re.match(signature, content, re.DOTALL):
            return name, advice
    if b"%PDF-" in content[:BEGINNING]:
        return "PDF or Illustrator document", DOCUMENT
    beginning = _as_text(content[:BEGINNING])
    if re.search(r"<(\w+:)?svg[\s>]|<!doctype svg\s", beginning):
        return "SVG drawing", IMAGE
    if re.match(r"\s*(<!--.*?-->\s*)*(<!doctype html|<html)", beginning, re.DOTALL):
        return "HTML page", "it may be the answer to a failed download"
    return None


def _as_text(beginning: bytes) -> str:
    """Return the beginning of a text in lower case, whatever its encoding."""
    return (
        beginning.replace(b"\0", b"")
        .removeprefix(b"\xef\xbb\xbf")
        .decode("latin-1")
        .lstrip("\xff\xfe")
        .lower()
    )
