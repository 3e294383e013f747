"""How many images go through a network at once: found by a short measurement, never part of a result.

Kernels round differently for some shapes. So every image is computed in a batch of one fixed shape (filled
up with repeats), and another size is used only when seeded noise shows that it gives the same bits as the
reference, which is 8 on a CPU and 256 on an accelerator. Rows must not depend on their place in the batch
either: where they do, the reference is 1. What was found is remembered in ``.cache/batch_sizes.json``.
"""

import json
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from text2image.base.console import say
from text2image.base.store import cache_root
from text2image.encoders.device import one_torch_thread
from text2image.encoders.images.memory import Network
from text2image.encoders.linear import is_amd_avx512
from text2image.formats.files import write_text

FILE = "batch_sizes.json"
CPU_REFERENCE, ACCELERATOR_REFERENCE = 8, 256
LARGER = (2, 4, 8)  # times the reference: the sizes that are tried
MOST_SECONDS, SHARE = 5.0, 0.01  # a measurement takes at most so long, and at most this share of the run
REPEATS = 12  # times that an accelerator computes the same before its results count as steady
GAIN = 0.97  # of the reference's time: a smaller gain may be noise


class Probe:
    """A network on one device, fed with seeded noise of one image's shape."""

    def __init__(self, network: Network, image: torch.Tensor, device: torch.device, workers: int) -> None:
        """Take ``image``: ``(3, height, width)`` of the network's type, as a model for the noise."""
        self.network, self.image, self.device = network, image, device
        self.accelerated = device.type != "cpu"
        self.side_by_side = 1 if self.accelerated else workers

    def noise(self, count: int) -> torch.Tensor:
        made = torch.rand(count, *self.image.shape, generator=torch.Generator().manual_seed(0))
        return (made * 2 - 1).to(self.image.dtype)

    def rows(self, pixels: torch.Tensor, size: int) -> torch.Tensor:
        """Return the network's rows of ``pixels``, computed ``size`` at a time, as in a real run."""

        def compute(batch: torch.Tensor) -> torch.Tensor:
            filled = torch.cat([batch, batch[-1:].expand(size - len(batch), *batch.shape[1:])])
            filled = filled.to(self.device).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                return self.network(filled)[: len(batch)].float().cpu()

        start = None if self.accelerated else one_torch_thread
        with ThreadPoolExecutor(self.side_by_side, initializer=start) as pool:
            return torch.cat(list(pool.map(compute, pixels.split(size))))

    def steady(self, size: int) -> bool:
        """Say whether a row has the same bits in every place of a batch."""
        pixels = self.noise(size)
        rows, moved = self.rows(torch.cat([pixels, pixels.roll(1, 0)]), size).split(size)
        return bool(torch.equal(rows, moved.roll(-1, 0)))

    def repeats(self, size: int) -> bool:
        """Say whether a batch gives the same bits every time; some kernels add up in the order of arrival."""
        pixels = self.noise(size)
        first = self.rows(pixels, size)
        return all(torch.equal(first, self.rows(pixels, size)) for _ in range(REPEATS))

    def same(self, size: int, reference: int) -> bool:
        """Say whether two batch sizes give the same bits, in every place; not, if the memory does not suffice."""
        pixels = self.noise(max(size, reference) + 1)
        try:
            return bool(torch.equal(self.rows(pixels, size), self.rows(pixels, reference)))
        except torch.OutOfMemoryError:
            return False

    def seconds(self, size: int) -> float:
        """Return the time of an image in batches of ``size``, with all workers busy."""
        pixels = self.noise(size * self.side_by_side)
        start = time.perf_counter()
        self.rows(pixels, size)
        return (time.perf_counter() - start) / len(pixels)


def pick_batch_size(probe: Probe, key: str, images: int, wanted: int | None) -> int:
    """Return the batch size for a run of ``images`` images.

    Args:
        key: names the network's weights and precision.
        wanted: ``runtime.batch_size``; it is used if it gives the same bits as the reference.
    """

    def remembered(question: str, find: Callable[[], int | None], possible: Collection[int]) -> int | None:
        name = f"{key} {_machine(probe.device)} {question}"
        answer = _read().get(name)
        if type(answer) is int and answer in possible:
            return answer
        if (found := find()) is not None:
            _write({name: found})
        return found

    largest = ACCELERATOR_REFERENCE if probe.accelerated else CPU_REFERENCE
    reference = remembered("reference", lambda: _reference(probe), _halves(largest)) or 1
    if probe.accelerated and not remembered("repeats", lambda: int(probe.repeats(reference)), (0, 1)):
        say(
            "this device does not give the same bits every time in this precision: the last bits of vectors may differ "
            "from run to run (embed.precision: fp32 in params.yaml may be steady; docs/gpu.md)"
        )
    if wanted is None:
        question = f"fastest of {probe.side_by_side} at once"
        sizes = [reference * factor for factor in (1, *LARGER)]
        return remembered(question, lambda: _fastest(probe, reference, images), sizes) or reference
    if remembered(f"{wanted} like {reference}", lambda: int(probe.same(wanted, reference)), (0, 1)):
        return wanted
    say(
        f"runtime.batch_size {wanted} would change the last bits of the results here or needs more memory, "
        f"so that {reference} is used"
    )
    return reference


def _reference(probe: Probe) -> int:
    """Return the reference size: as large as the memory allows, and 1 where rows depend on their place."""
    size = ACCELERATOR_REFERENCE if probe.accelerated else CPU_REFERENCE
    while size > 1:
        try:
            return size if probe.steady(size) else 1
        except torch.OutOfMemoryError:
            size //= 2
    return 1


def _fastest(probe: Probe, reference: int, images: int) -> int | None:
    """Return the fastest size with the reference's bits; None where the run is too short to look for it."""
    if images * SHARE < reference * probe.side_by_side:
        return None
    probe.rows(probe.noise(1), reference)  # the first pass on an accelerator loads kernels
    start = time.perf_counter()
    usual = probe.seconds(reference)
    best, size = usual * GAIN, reference
    for larger in (reference * factor for factor in LARGER):
        needed = larger * (2 + probe.side_by_side) * usual
        if time.perf_counter() - start + needed > min(MOST_SECONDS, SHARE * images * usual):
            break
        if probe.same(larger, reference) and (taken := probe.seconds(larger)) < best:
            best, size = taken, larger
    return size


def _machine(device: torch.device) -> str:
    """Name what a choice holds for: the processor, the library, and which of its kernels compute."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} steady torch {torch.__version__}"
    linear = " oneDNN" if is_amd_avx512() else ""
    return f"{device.type} {torch.backends.cpu.get_cpu_capability()}{linear} torch {torch.__version__}"


def _halves(size: int) -> list[int]:
    """Return a power of 2 and all below it."""
    return [2**power for power in range(size.bit_length())]


def _read() -> dict[str, Any]:
    """Return what is remembered; a file that is missing or damaged is as good as empty."""
    try:
        known = json.loads((cache_root() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(found: dict[str, int]) -> None:
    """Remember what was found; where the disk does not take it, it is found again by the next run."""
    try:
        write_text(cache_root() / FILE, json.dumps(_read() | found, indent=1) + "\n")
    except OSError as error:
        say(f"the batch size is not remembered: {cache_root() / FILE}: {error.strerror}")
