"""How fast a model embeds on this machine: images from their files, and texts, each to unit vectors.

The work is the same everywhere, so that machines and models can be compared whatever the collection:
made-up JPEG files of 640 × 480 pixels, and short phrases.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from text2image.base.settings import Runtime
from text2image.collection.images import image_id
from text2image.collection.manifest import ImageFile

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


class Speed(NamedTuple):
    """How many items of a kind (images or texts) a model embeds a second on a device.

    The median of some measurements, the slowest and the fastest of them.
    """

    model: str
    what: str
    device: str
    per_second: str
    low: str
    high: str


def measure_speeds(name: str, card: dict[str, Any], precision: str, runtime: Runtime) -> list[Speed]:
    """Return how fast the model of a card embeds images and texts, end to end as the pipeline does it.

    Raises:
        InputError: the model cannot be loaded.
    """
    from text2image.encoders.embedding import embed_images, embed_texts
    from text2image.encoders.models.load import load_model

    model = load_model(name, card, runtime.device, precision)
    with tempfile.TemporaryDirectory() as folder:
        files = write_images(Path(folder))
        rates = {
            "images": rate(lambda items: embed_images(model, items, runtime), files),
            "texts": rate(lambda items: embed_texts(model, items, runtime), PHRASES),
        }
    device = next(model.network.parameters()).device.type
    return [Speed(name, what, device, *(f"{n:.4g}" for n in rate)) for what, rate in rates.items()]


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
