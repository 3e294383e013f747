"""How fast this machine is: images and texts to unit vectors, whatever a source reads on images, and queries to answers.

The work is the same everywhere, so that machines and models can be compared whatever the collection:
made-up JPEG files of 640 × 480 pixels, and short phrases.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from text2image.base.settings import Runtime
from text2image.collection.images import image_id
from text2image.collection.manifest import ImageFile, gallery, read_manifest
from text2image.encoders.settings import WHOLE
from text2image.encoders.views import view_files, views_of
from text2image.formats.tables import POSITIVE, WHOLE_NUMBER, Row, read_csv

if TYPE_CHECKING:
    from text2image.encoders.models.load import EmbeddingModel

Item = TypeVar("Item")

SIZE = (640, 480)
IMAGES = 16
WINDOW, WINDOWS = 0.6, 3  # seconds of work that are timed together, and how often
PHRASES = tuple(
    f"{colour} {thing} {place}"
    for colour in ("red", "blue", "green", "golden")
    for thing in ("shoes", "sofa", "bicycle", "lemonade", "camera", "garden tools")
    for place in ("on sale", "for children", "in summer", "with free delivery")
)


MEASURED = {"n_images": WHOLE_NUMBER} | dict.fromkeys(
    ("per_second", "low", "high", "median_ms", "high_ms", "million_ms"), POSITIVE
)
"""What the columns of both tables hold, where they have them."""


class Speed(NamedTuple):
    """How many items of a kind a second, on a device: images or texts that a model embeds, images that a field is read from.

    The median of some measurements, the slowest and the fastest of them.
    """

    name: str
    what: str
    device: str
    per_second: str
    low: str
    high: str


class QueryTime(NamedTuple):
    """How long a system takes for a query on a device, from its text to the first images.

    Attributes:
        system: that was asked.
        n_images: how many images were searched.
        device: that its models ran on.
        median_ms, high_ms: milliseconds, the median and the 95th percentile over several queries.
        million_ms: the median if a million images were searched, by a straight line through the medians at ``n_images`` and
            at several times as many.
    """

    system: str
    n_images: str
    device: str
    median_ms: str
    high_ms: str
    million_ms: str


def read_speeds(path: Path) -> list[Speed]:
    """Read what was kept of speeds; nothing where nothing was, or in the form of an earlier version."""
    return [Speed(*row.values()) for row in _rows(path, Speed._fields)]


def read_query_times(path: Path) -> list[QueryTime]:
    """Read what was kept of queries' times; nothing where nothing was."""
    return [QueryTime(*row.values()) for row in _rows(path, QueryTime._fields)]


def _rows(path: Path, columns: Sequence[str]) -> list[Row]:
    rows = read_csv(path, [], numbers=MEASURED) if path.is_file() else []
    return (
        [{name: row[name] for name in columns} for row in rows]
        if rows and set(columns) <= rows[0].keys()
        else []
    )


def milliseconds(answer: Callable[[Item], object], queries: Sequence[Item]) -> list[float]:
    """Return how long each of some queries takes to answer, after a warm-up of three.

    Args:
        answer: whatever has to be done for one query.
        queries: at least one.
    """
    times = []
    for place, query in enumerate([*islice(cycle(queries), 3), *queries]):
        start = time.perf_counter()
        answer(query)
        if place >= 3:
            times.append(1000 * (time.perf_counter() - start))
    return times


def query_time(
    system: str, device: str, here: tuple[int, Sequence[float]], many: tuple[int, Sequence[float]]
) -> QueryTime:
    """Return the row of a system.

    Args:
        system, device: see :class:`QueryTime`.
        here, many: how many images were searched, and the milliseconds of some queries; more images in ``many``.
    """
    (n, times), (n_many, times_many) = here, many
    middle = median(times)
    an_image = max(0.0, (median(times_many) - middle) / (n_many - n))
    figures = middle, float(np.percentile(times, 95)), middle + an_image * (1_000_000 - n)
    return QueryTime(system, str(n), device, *(f"{ms:.3g}" if ms < 1000 else f"{ms:.0f}" for ms in figures))


def measure_speeds(name: str, model: "EmbeddingModel", runtime: Runtime) -> list[Speed]:
    """Return how fast a loaded model embeds images and texts, end to end as the pipeline does it."""
    from text2image.encoders.embedding import embed_images, embed_texts

    with tempfile.TemporaryDirectory() as folder:
        files = write_images(Path(folder))
        rates = {
            "images": rate(lambda items: embed_images(model, items, runtime), files),
            "texts": rate(lambda items: embed_texts(model, items, runtime), PHRASES),
        }
    device = next(model.network.parameters()).device.type
    return [Speed(name, what, device, *(f"{n:.4g}" for n in rate)) for what, rate in rates.items()]


def with_views(speeds: Sequence[Speed], per_image: float) -> list[Speed]:
    """Return speeds in which an image counts with so many views, each of which takes as long as a whole image.

    >>> [speed[3:] for speed in with_views([Speed("m", "images", "cpu", "50", "40", "60")], 2.5)]
    [('20', '16', '24')]
    """
    return [
        Speed(*speed[:3], *(f"{float(n) / per_image:.4g}" for n in speed[3:]))
        if speed.what == "images"
        else speed
        for speed in speeds
    ]


def views_per_image(manifest: Path, kinds: Sequence[str]) -> float:
    """Return how many views an image of the collection has on average; before there is one, one of the made-up images.

    Args:
        manifest: data/manifest.csv.
        kinds: ``views`` of the model's entry in params.yaml.

    Raises:
        InputError: the manifest does not say how large images are.
    """
    if list(kinds) == [WHOLE]:
        return 1.0
    if not manifest.is_file():
        return float(len(views_of(*SIZE, kinds)))
    entries = read_manifest(manifest)
    return len(view_files(gallery(entries, manifest.parent), entries, kinds)) / len(
        {e.image_id for e in entries}
    )


def rate(
    embed: Callable[[Sequence[Item]], Iterable[tuple[Sequence[Item], Any]]], items: Sequence[Item]
) -> tuple[float, float, float]:
    """Return how many items a second ``embed`` turns into vectors, after a warm-up: median, lowest, highest.

    Args:
        embed: yields what it has done batch by batch.
        items: what to embed, again and again until a window of time is full.
    """

    def seconds(count: int) -> float:
        work = list(islice(cycle(items), count))
        start = time.perf_counter()
        done = sum(len(batch) for batch, _ in embed(work))
        if done != count:
            raise ValueError(f"expected {count} items embedded, found {done}")
        return time.perf_counter() - start

    count = 2
    seconds(count)
    while (taken := seconds(count)) < WINDOW:
        count = min(8 * count, max(2 * count, round(1.2 * count * WINDOW / taken)))
    rates = [count / taken, *(count / seconds(count) for _ in range(WINDOWS - 1))]
    return median(rates), min(rates), max(rates)


def write_images(folder: Path) -> list[ImageFile]:
    """Write the JPEG files that are embedded: soft colours with a little noise, as photographs have."""
    generator = np.random.default_rng(0)
    files = []
    for number in range(IMAGES):
        soft = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        pixels = np.asarray(soft.resize(SIZE, Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = pixels + generator.integers(-12, 13, pixels.shape, dtype=np.int16)
        path = folder / f"{number}.jpg"
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        files.append(ImageFile(image_id(path.read_bytes()), path))
    return files
