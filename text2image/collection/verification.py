"""Whether two images show the same picture: decided by their pixels, once they lie upon each other.

A perceptual hash cannot tell the advertisements of one template apart: a price, a headline or the colour of a
product changes fewer of its bits than a crop does. So hashes only nominate pairs, and this module decides.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from text2image.base.arrays import Floats
from text2image.base.parallel import one_opencv_thread

VERIFICATION = 6
"""Version of how pairs are decided. Raise it with every change that can change a verdict."""

AREA = 65_536
"""Pixels of the thumbnails that decide: of the area, not of a side, so that a wide banner keeps its words."""

COARSE_AREA = 4_096
"""Pixels of the thumbnails that can only tell pictures apart, some twenty times faster."""

ALIGNED_AREAS = (COARSE_AREA, 16_384)
"""Pixels at which images are aligned, one after the other; in doubt at ``AREA``, too, which is dear: half a pixel off,
a small price differs from itself."""

REDUCING_GAP = 2.0
"""Pixels a side of large images that are averaged before the filter, for each of the thumbnail's: a third of the time."""

RING = 0.04
"""Share of each side, at its edges, that alignment leaves out of the second image: frames and what a crop leaves."""

LEAST_GAIN = 1e-5
"""Of the correlation in an iteration; below it, an alignment step ends."""

ITERATIONS, FINE_ITERATIONS = 50, 15  # of an alignment step; of one at ``AREA``, which begins near the end
WINDOW = 7  # pixels a side of what is local
VARIANCE = 2_000.0  # levels squared: with it, the noise of plain areas is no difference of structure
WORST_SHARE = 0.0005  # of the pixels, but at least WORST_PIXELS
WORST_PIXELS = 9
GAIN = (0.75, 1.33)  # factors of brightness that a copy may have
LEAST_OVERLAP = 0.7  # share of the first image that the second must cover
LEAST_WHOLE = 0.4  # share of the pixels whose windows lie inside, below which all inside count
PATCH = 64  # pixels a side, see differences
ASPECT = 0.1  # difference of the logarithms of width by height, beyond which images are not aligned
MAX_STRUCTURE = 0.19  # of two images that show one picture
DOUBTFUL_STRUCTURE = 0.6  # up to which a finer alignment is tried
COARSE_STRUCTURE = 0.3  # of small thumbnails that may show one picture
COARSE_LEVELS = 1.25  # times the levels of large ones, for small ones

REACH, UNLIKE_SHARE, UNLIKE_LEVELS = 4, 0.002, 80.0
"""Pixels of small thumbnails by which copies may be displaced, and the levels beyond their range that tell images apart
all the same: heavily altered copies stayed below, but for one in a hundred."""

EDGE, SAME_LEVELS, SAME_SHARE = 40.0, 12, 0.6
"""What is an edge of a thumbnail (length of the gradient), and which share of them must differ by at most so many
levels for two images to lie upon each other."""

one_opencv_thread()

Pixels = npt.NDArray[np.uint8]
Gray = npt.NDArray[np.float32]


class Differences(NamedTuple):
    """How far two aligned images differ where they differ most: the mean of the worst 0.05 % of the pixels.

    ``structure`` is 1 less the local correlation of the colours (Wang et al., "Image quality assessment: from
    error visibility to structural similarity", 2004, without the term of brightness), in [0, 2]; ``levels`` the
    difference of local mean colours, in [0, 255].
    """

    structure: float
    levels: float


UNLIKE = Differences(2.0, 255.0)
"""What is said of images that cannot be laid upon each other."""


def thumbnail(image: Image.Image, area: int = AREA) -> Pixels:
    """Return an image's pixels, scaled down to at most ``area`` of them: ``(height, width, 3)`` uint8.

    With an antialiasing filter of some width: of the narrower ones, which take half the time, a box moves edges by up
    to half a pixel, and Hamming's doubles the differences of scaled copies.
    """
    scale = min(1.0, (area / (image.width * image.height)) ** 0.5)
    size = tuple(max(8, round(side * scale)) for side in image.size)
    if size == image.size:
        return np.asarray(image)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP))


def agree(first: Pixels, second: Pixels, levels: float) -> bool:
    """Say whether two thumbnails show one picture, cropped a little, scaled, brightened or compressed anew.

    Args:
        first, second: of :func:`thumbnail`, of any size, which :func:`differ_clearly` does not tell apart.
        levels: the largest difference of local colours that still counts as the same, in [0, 255].
    """
    if (pair := _of_one_size(first, second)) is None:
        return False
    steps: tuple[Sequence[int], ...] = ALIGNED_AREAS, (AREA,)
    if _lie_upon_each_other(*pair):  # as most ads of one template do
        steps = (), ALIGNED_AREAS
    matrix = np.eye(3)
    for areas in steps:
        matrix = alignment(*pair, areas, matrix)
        found = _differences_under(matrix, *pair, enough=MAX_STRUCTURE)
        if not MAX_STRUCTURE < found.structure <= DOUBTFUL_STRUCTURE:
            break
    return found.structure <= MAX_STRUCTURE and found.levels <= levels


def differ_clearly(first: Pixels, second: Pixels, levels: float) -> bool:
    """Say whether two thumbnails of ``COARSE_AREA`` show different pictures; False decides nothing.

    Images that lie upon each other are compared as they are; most others are told apart without alignment, by pixels that
    are unlike all that lie near them in the other image.
    """
    if _lie_upon_each_other(first, second):
        found = differences(first, second, (), COARSE_STRUCTURE)
    elif max(_unlike_neighbours(first, second), _unlike_neighbours(second, first)) > UNLIKE_LEVELS:
        return True
    else:
        found = differences(first, second, (COARSE_AREA,), COARSE_STRUCTURE)
    return found.structure > COARSE_STRUCTURE or found.levels > COARSE_LEVELS * levels


def _lie_upon_each_other(first: Pixels, second: Pixels) -> bool:
    """Say whether most of the edges of two thumbnails are the same as they are: nothing was cropped or moved.

    So it is with most ads of one template, which then differ where they differ, however they might be aligned.
    """
    if first.shape != second.shape:
        return False
    edges = _gradients(first, first[..., 0].size) > EDGE
    difference = _over_colours(np.maximum, cv2.absdiff(first, second))[edges]
    return len(difference) > 0 and float(np.mean(difference <= SAME_LEVELS)) >= SAME_SHARE


def _unlike_neighbours(first: Pixels, second: Pixels) -> float:
    """Return how far ``first`` lies outside the range of ``second``'s levels within ``REACH`` pixels, where it does most."""
    height, width = first.shape[:2]
    if second.shape != first.shape:
        second = np.asarray(cv2.resize(second, (width, height), interpolation=cv2.INTER_LINEAR))
    second = np.asarray(cv2.convertScaleAbs(second, alpha=_gain(first, second)))
    window = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    above = cv2.subtract(first, cv2.dilate(second, window))
    below = cv2.subtract(cv2.erode(second, window), first)
    outside = np.asarray(cv2.max(above, below))[REACH : height - REACH, REACH : width - REACH]
    largest = _over_colours(np.maximum, outside).ravel()
    return _largest(largest, max(WORST_PIXELS, int(len(largest) * UNLIKE_SHARE)))


def differences(
    first: Pixels,
    second: Pixels,
    areas: Sequence[int] = ALIGNED_AREAS,
    enough: float = DOUBTFUL_STRUCTURE,
) -> Differences:
    """Return how far two thumbnails differ, after alignment, at the size of the smaller one; symmetric.

    Args:
        areas: see :func:`alignment`; of none, the images are compared as they are.
        enough: structure of the patch that differs most, beyond which that patch alone is measured.
    """
    pair = _of_one_size(first, second)
    return _differences_under(alignment(*pair, areas), *pair, enough) if pair else UNLIKE


def _of_one_size(first: Pixels, second: Pixels) -> tuple[Pixels, Pixels] | None:
    """Return two thumbnails at the size of the smaller one, which comes first; None where their shapes differ too much."""
    first, second = sorted((first, second), key=lambda pixels: (pixels.size, pixels.tobytes()))
    ratios = [pixels.shape[1] / pixels.shape[0] for pixels in (first, second)]
    if abs(np.log(ratios[0] / ratios[1])) > ASPECT:
        return None
    height, width = first.shape[:2]
    if second.shape != first.shape:
        second = np.asarray(Image.fromarray(second).resize((width, height), Image.Resampling.BICUBIC))
    return first, second


def _differences_under(matrix: Floats, first: Pixels, second: Pixels, enough: float) -> Differences:
    """Return how far two thumbnails of one size differ if ``matrix`` (:func:`alignment`) lays them upon each other.

    Contents that only one of them shows, at the edges, do not count. Where the structure differs by more than
    ``enough`` in the patch that differs most, that patch alone is measured: the whole differs no less.
    """
    height, width = first.shape[:2]
    if np.array_equal(matrix, np.eye(3)):
        moved, inside = second, np.ones((height, width), np.bool_)
    else:
        moved = _warp(second, matrix, (width, height))
        inside = _warp(np.full((height, width), 255, np.uint8), matrix, (width, height), outside=0) == 255
    if np.count_nonzero(inside) < LEAST_OVERLAP * inside.size:
        return UNLIKE
    gain = _gain(first, moved, inside)
    where = _in_whole_windows(inside)
    count = max(WORST_PIXELS, int(np.count_nonzero(where) * WORST_SHARE))

    def measure(part: tuple[slice, slice], where: npt.NDArray[np.bool_]) -> Differences:
        brightened = np.minimum(moved[part].astype(np.float32) * np.float32(gain), np.float32(255.0))
        return _differences(first[part].astype(np.float32), brightened, where, count)

    patch = _most_different(first, np.asarray(cv2.convertScaleAbs(moved, alpha=gain)), where)
    found = measure(patch, _without_rim(where[patch]))
    return found if found.structure > enough else measure((slice(None), slice(None)), where)


def alignment(
    first: Pixels, second: Pixels, areas: Sequence[int] = ALIGNED_AREAS, matrix: Floats | None = None
) -> Floats:
    """Return the affine map from ``first``'s pixels to ``second``'s, both of one size: ``(3, 3)`` float.

    It maximises the enhanced correlation coefficient (Evangelidis and Psarakis, "Parametric image alignment
    using enhanced correlation coefficient maximization", 2008) of their gradients, at each of ``areas`` (pixels) in
    turn; where that does not converge, the map of the step before stays: at first ``matrix``, or what moves nothing.
    """
    matrix = np.eye(3) if matrix is None else matrix
    height, width = first.shape[:2]
    for area in areas:
        a, b = (_gradients(pixels, area) for pixels in (first, second))
        scale = np.diag([a.shape[1] / width, a.shape[0] / height, 1.0])
        start = (scale @ matrix @ np.linalg.inv(scale))[:2].astype(np.float32)
        most = FINE_ITERATIONS if area == AREA else ITERATIONS
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, most, LEAST_GAIN)
        try:
            _, fitted = cv2.findTransformECC(
                a, b, start, cv2.MOTION_AFFINE, criteria, inputMask=_inner(b.shape), gaussFiltSize=5
            )
        except cv2.error:
            continue
        matrix = np.linalg.inv(scale) @ np.vstack([fitted, [0.0, 0.0, 1.0]]) @ scale
        if width * height <= area:
            break
    return matrix


def _inner(shape: tuple[int, ...]) -> Pixels:
    """Return a mask, ``(height, width)`` uint8, without the ring at the edges, where a frame would hold the fit."""
    mask = np.zeros(shape, np.uint8)
    down, across = (max(1, round(RING * side)) for side in shape)
    mask[down:-down, across:-across] = 255
    return mask


def _gradients(pixels: Pixels, area: int) -> Gray:
    """Return the length of the gradient of the grey image, ``(height, width)`` float32, at most at ``area`` pixels."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, (area / gray.size) ** 0.5)
    if scale < 1.0:
        size = (max(8, round(gray.shape[1] * scale)), max(8, round(gray.shape[0] * scale)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    across, down = (cv2.Sobel(gray, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(across, down))


def _warp(pixels: Pixels, matrix: Floats, size: tuple[int, int], outside: int | None = None) -> Pixels:
    """Return ``pixels`` as seen through the map; beyond them, their edge or the level ``outside``."""
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(pixels, matrix[:2], size, flags=flags, borderMode=border, borderValue=outside or 0)
    )


def _gain(still: Pixels, moved: Pixels, inside: npt.NDArray[np.bool_] | None = None) -> float:
    """Return the factor of brightness that brings ``moved`` nearest to ``still``, within ``GAIN``; ``inside``, if given."""
    if inside is not None:
        moved = np.asarray(cv2.bitwise_and(moved, moved, mask=inside.view(np.uint8)))
    a, b = still.astype(np.float32), moved.astype(np.float32)
    return float(np.clip(float(np.vdot(b, a)) / max(1.0, float(np.vdot(b, b))), *GAIN))


def _over_colours(of: np.ufunc, image: npt.ArrayLike) -> Any:
    """Return ``of``, such as the largest, of each pixel's three colours; ``of.reduce`` takes ten times as long."""
    red, green, blue = cv2.split(np.asarray(image))
    return of(of(red, green), blue)


def _in_whole_windows(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels whose windows lie inside, or all inside where those are few: ``(height, width)``."""
    window = np.ones((WINDOW, WINDOW), np.uint8)
    whole = cv2.erode(inside.astype(np.uint8), window, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    return np.asarray(whole if whole.mean() > LEAST_WHOLE else inside)


def _without_rim(where: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels of a patch whose windows lie in it."""
    rim = WINDOW // 2
    inner = np.zeros_like(where)
    inner[rim:-rim, rim:-rim] = where[rim:-rim, rim:-rim]
    return inner


def _most_different(still: Pixels, moved: Pixels, where: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the patch of ``PATCH`` pixels a side, less at the edges, around the largest local difference."""
    difference = cv2.blur(_over_colours(np.maximum, cv2.absdiff(still, moved)), (WINDOW, WINDOW))
    across, down = cv2.minMaxLoc(difference, mask=where.view(np.uint8))[3]
    y, x = (slice(max(0, place - PATCH // 2), place + PATCH // 2) for place in (down, across))
    return y, x


def _differences(still: Gray, moved: Gray, where: npt.NDArray[np.bool_], count: int) -> Differences:
    """Return the differences of aligned images, each ``(height, width, 3)``, the mean of the ``count`` largest."""
    means = _local(still), _local(moved)
    variances = [
        _over_colours(np.add, np.maximum(_local(image * image) - mean * mean, 0.0))
        for image, mean in zip((still, moved), means, strict=True)
    ]
    covariance = _over_colours(np.add, _local(still * moved) - means[0] * means[1])
    structure = 1.0 - (covariance + VARIANCE) / (np.sqrt(variances[0] * variances[1]) + VARIANCE)
    levels = _over_colours(np.maximum, cv2.absdiff(means[0], means[1]))
    return Differences(_largest(structure[where], count), _largest(levels[where], count))


def _local(image: Gray) -> Gray:
    """Return the mean of the window around each pixel."""
    return np.asarray(cv2.blur(image, (WINDOW, WINDOW)))


def _largest(values: Gray | Pixels, count: int) -> float:
    """Return the mean of the largest values, of at most ``count`` of them; of none, 0."""
    if len(values) == 0:
        return 0.0
    count = min(len(values), count)
    return float(np.partition(values, -count)[-count:].mean())
