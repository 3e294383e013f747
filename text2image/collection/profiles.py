"""Colours of a file's own ICC profile as sRGB, which is what models and screens take pixels for.

Source: ICC.1:2022, as Little CMS implements it; the intent is perceptual, as in browsers.
"""

import io
from contextlib import suppress
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""The colour space that a profile for pixels of a mode has."""

TOLERANCE = 2  # levels: a profile that changes no colour by more is sRGB, of which there are many
STEPS = 9  # of each channel, between which a profile is held against sRGB


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Return the colours of an image as sRGB, in mode RGB; None where they are that already.

    That is also so where the profile is broken, or one for other pixels than these: browsers ignore it, too.

    Args:
        image: of any mode with 8 bits a channel; transparency is left out.
        profile: the bytes of an ICC profile.
    """
    mode = _mode(image)
    transform = _transform(profile, mode)
    return None if transform is None else transform.apply(image.convert(mode))


def is_srgb(image: Image.Image, profile: bytes) -> bool:
    """Say whether :func:`to_srgb` would return None, without a look at the pixels."""
    return _transform(profile, _mode(image)) is None


def _mode(image: Image.Image) -> str:
    """Return the mode of an image's colours that a profile is for."""
    return {"LA": "L", "1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what converts pixels of a mode to sRGB; None if the profile changes nothing, or is of no use."""
    with suppress(Exception):  # a broken profile is no reason to lose an image that decodes
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if theirs.profile.xcolor_space.strip() != SPACES[mode]:
            return None
        ours = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(theirs, ours, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
        return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform
    return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Say whether a transform leaves a grid of colours as they are."""
    if mode == "L":
        before = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    else:
        steps = np.linspace(0, 255, STEPS).round().astype(np.uint8)
        before = Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3))
    plain, after = (
        np.asarray(each, dtype=np.int64) for each in (before.convert("RGB"), transform.apply(before))
    )
    return int(abs(plain - after).max()) <= TOLERANCE
