"""Accelerators: what they compute is what one alone would, whatever is beside it; and their three steps overlap.

There is no GPU here. The accelerators of these tests are the CPU behind the code that runs before any GPU, with a record
of what was asked of them, memory that does not suffice, and a decoder in the place of nvJPEG.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from open_clip.transform import image_transform
from torchvision.io import ImageReadMode, decode_jpeg

from tests.support.networks import picture, write_pictures
from tests.support.pictures import encoded, image_file
from text2image.base.console import InputError
from text2image.base.parallel import in_lanes
from text2image.collection.manifest import ImageFile
from text2image.encoders.images.accelerators import Accelerator, Step
from text2image.encoders.images.decoding import open_encoded
from text2image.encoders.images.forward import PIECE, Replica, forward_images, on_accelerators
from text2image.encoders.images.gpu_decoding import decode_inputs
from text2image.encoders.images.preparing import Prepared, prepare
from text2image.encoders.images.preprocessing import preprocessing

CPU = torch.device("cpu")
READY = preprocessing(image_transform(is_train=False, image_size=16))
FP32 = torch.float32


def network(pixels: torch.Tensor) -> torch.Tensor:
    """Return what depends on every pixel and its place."""
    flat = pixels.contiguous().flatten(1)
    return flat * torch.arange(flat.shape[1])


class Recorded(Accelerator):
    """An accelerator that says when each of its steps began and ended, and takes a while for each."""

    def __init__(self, size: int, seconds: float = 0.0) -> None:
        super().__init__(network, CPU, READY, size, FP32)
        self.seconds = seconds
        self.steps: list[tuple[str, float, float]] = []
        self.shapes: list[tuple[int, ...]] = []

    def _timed(self, name: str, began: float) -> None:
        time.sleep(self.seconds)
        self.steps.append((name, began, time.perf_counter()))

    def load(self, part: Prepared) -> Step:
        began = time.perf_counter()
        step = super().load(part)
        if step[1] is not None:
            assert step[1].dtype == torch.uint8, "bytes are copied, a quarter of floats"
            self.shapes.append(tuple(step[1].shape))
        self._timed("load", began)
        return step

    def compute(self, loaded: Step) -> Step:
        began = time.perf_counter()
        step = super().compute(loaded)
        self._timed("compute", began)
        return step


def rows_of(
    accelerators: Sequence[Accelerator], images: Sequence[ImageFile], workers: int = 2
) -> tuple[list[ImageFile], torch.Tensor]:
    made = [
        (some, rows[: len(some)])
        for some, rows, error in on_accelerators(accelerators, images, workers)
        if rows is not None and error is None
    ]
    return [image for some, _ in made for image in some], torch.cat([rows for _, rows in made])


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[ImageFile]:
    return write_pictures(tmp_path_factory.mktemp("pictures"), 2 * PIECE + 5)


def on_cpu(images: Sequence[ImageFile]) -> torch.Tensor:
    made = forward_images(images, READY, [Replica(network, CPU)], batch_size=1, workers=2)
    return torch.cat([rows for _, rows in made])


@pytest.mark.parametrize("size", [1, 4, 16, 24, 100])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_accelerators_compute_what_one_processor_does(
    photographs: list[ImageFile], size: int, count: int
) -> None:
    accelerators = [Recorded(size) for _ in range(count)]
    images, rows = rows_of(accelerators, photographs)
    assert images == photographs
    assert torch.equal(rows, on_cpu(photographs))
    batches = -(-len(photographs) // size)
    shapes = [shape for each in accelerators for shape in each.shapes]
    assert shapes == [(size, 3, 16, 16)] * batches, "every batch has the same shape"
    assert all(each.shapes for each in accelerators[:batches]), "all of them take part"


def test_copying_overlaps_computing(photographs: list[ImageFile]) -> None:
    accelerator = Recorded(4, seconds=0.03)
    rows_of([accelerator], photographs)
    loads, computes = (
        [step for step in accelerator.steps if step[0] == name] for name in ("load", "compute")
    )
    overlapping = sum(
        load_began < ended and began < load_ended
        for _, load_began, load_ended in loads
        for _, began, ended in computes
    )
    assert overlapping >= len(computes) - 2


def test_views_of_an_image_and_all_that_follows_a_changed_file(photographs: list[ImageFile]) -> None:
    views = [
        part
        for image in photographs[:9]
        for part in (image, image._replace(box=(0, 0, 30, 30)), image._replace(box=(10, 20, 60, 50)))
    ]
    images, rows = rows_of([Recorded(8), Recorded(8)], views)
    assert images == views
    assert torch.equal(rows, on_cpu(views))


def test_a_changed_file_ends_the_run_after_all_before_and_beside_it(tmp_path: Path) -> None:
    images = write_pictures(tmp_path, PIECE + 6)
    expected = on_cpu(images)
    Path(str(images[PIECE + 2].path)).write_bytes(encoded(picture(9, 9)))
    done = list[ImageFile]()
    with pytest.raises(InputError, match="the file changed since"):
        for some, rows in forward_images_on(Recorded(4), images):
            places = [images.index(image) for image in some]
            assert torch.equal(rows, expected[places])
            done += some
    assert done == [image for place, image in enumerate(images) if place != PIECE + 2]


def forward_images_on(accelerator: Accelerator, images: Sequence[ImageFile]):  # type: ignore[no-untyped-def]
    for some, rows, error in on_accelerators([accelerator], images, 2):
        if rows is not None:
            yield some, rows[: len(some)]
        if error:
            raise error


def test_a_copy_without_memory_is_tried_again_once_the_device_has_settled(
    photographs: list[ImageFile],
) -> None:
    class Short(Recorded):
        settled, failures = 0, 1

        def _inputs(self, part: Prepared) -> torch.Tensor:
            if self.failures:
                self.failures -= 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super()._inputs(part)

        def settle(self) -> None:
            self.settled += 1
            super().settle()

    short = Short(8)
    assert torch.equal(rows_of([short], photographs)[1], on_cpu(photographs))
    assert short.settled == 1
    short = Short(8)
    short.failures = 2
    with pytest.raises(InputError, match=r"memory .*runtime\.device"):
        rows_of([short], photographs)


def test_a_batch_is_halved_where_normalising_takes_too_much_memory(photographs: list[ImageFile]) -> None:
    def normalise(levels: torch.Tensor) -> torch.Tensor:
        if len(levels) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return READY.normalise(levels)

    short = Accelerator(network, CPU, READY._replace(normalise=normalise), 16, FP32)
    assert torch.equal(rows_of([short], photographs)[1], on_cpu(photographs))
    assert short.network.size == 4


def test_lanes_yield_in_order_with_few_results_under_way() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def tasks():  # type: ignore[no-untyped-def]
        nonlocal running, most
        for number in range(40):
            with lock:
                running += 1
                most = max(most, running)
            yield number

    def wait(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number

    results = []
    for result in in_lanes([(wait, lambda n: 10 * n), (wait, lambda n: 10 * n)], tasks(), waiting=1):
        results.append(result)
        with lock:
            running -= 1
    assert results == [10 * number for number in range(40)]
    assert most <= 5


def test_an_error_in_a_lane_reaches_the_reader_and_ends_the_others() -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise InputError("expected no 3")
        return number

    seen = list[int]()
    with pytest.raises(InputError, match="expected no 3"):
        seen.extend(in_lanes([(fail, abs)], range(100)))
    assert seen == [0, 1, 2]
    assert threading.active_count() < 20


@pytest.mark.parametrize("step", ["load", "compute", "fetch"])
def test_no_thread_is_left_by_an_error(photographs: list[ImageFile], step: str) -> None:
    """Not even until the garbage collector comes to the error, which would wait for a thread in whichever it runs."""

    def fail(part: object) -> None:
        raise ZeroDivisionError

    accelerator, before = Recorded(4), threading.active_count()
    setattr(accelerator, step, fail)
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError):
            rows_of([accelerator], photographs)
        assert threading.active_count() == before
    finally:
        gc.enable()


class TestGpuDecoding:
    """``embed.decode: gpu`` with torchvision's CPU decoder in the place of nvJPEG, whose pixels are Pillow's."""

    def images(self, folder: Path) -> list[ImageFile]:
        files = {f"{n}.jpg": encoded(picture(60 + n % 3, 70, n), "JPEG") for n in range(6)}
        exif = picture(50, 40).getexif()
        exif[0x0112] = 6
        files["turned.jpg"] = encoded(picture(50, 40), "JPEG", exif=exif)
        files["other.png"] = encoded(picture(50, 40))
        files["cmyk.jpg"] = encoded(picture(50, 40).convert("CMYK"), "JPEG")
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return [image_file(folder / name) for name in sorted(files)]

    def decoder(self, asked: list[int]):  # type: ignore[no-untyped-def]
        def decode(files: list[torch.Tensor]) -> list[torch.Tensor]:
            asked.append(len(files))
            return [decode_jpeg(each, ImageReadMode.RGB) for each in files]

        return decode

    def test_inputs_are_those_of_the_cpu_if_the_decoder_is(self, tmp_path: Path) -> None:
        images = self.images(tmp_path)
        views = [part for image in images for part in (image, image._replace(box=(5, 3, 40, 30)))]
        expected = torch.stack(
            [each for each in prepare(views, READY).inputs if isinstance(each, torch.Tensor)]
        )
        asked: list[int] = []
        part = prepare(views, READY, encoded=True)
        found = decode_inputs(part.images, part.inputs, READY, CPU, self.decoder(asked))
        assert torch.equal(found, expected)
        assert asked == [7], "every JPEG file is decoded once, all together; others as on a CPU"

    def test_a_file_that_the_gpu_cannot_decode_is_decoded_on_the_cpu(self, tmp_path: Path) -> None:
        images = self.images(tmp_path)
        expected = torch.stack(
            [each for each in prepare(images, READY).inputs if isinstance(each, torch.Tensor)]
        )
        refused = open_encoded(images[2])
        assert not isinstance(refused, torch.Tensor)
        asked: list[int] = []
        decode = self.decoder(asked)

        def without_one(files: list[torch.Tensor]) -> list[torch.Tensor]:
            if any(torch.equal(each, refused.content) for each in files):
                asked.append(-len(files))
                raise RuntimeError("nvjpeg: not supported")
            return decode(files)

        part = prepare(images, READY, encoded=True)
        assert torch.equal(decode_inputs(part.images, part.inputs, READY, CPU, without_one), expected)
        assert asked[0] == -7
        assert sorted(asked[1:]) == [-1, *[1] * 6]

    @pytest.mark.parametrize(
        "message", ["CUDA out of memory. Tried to allocate", "Failed to create pinned buffer: 5"]
    )
    def test_short_memory_is_no_reason_to_decode_on_the_cpu(self, tmp_path: Path, message: str) -> None:
        """torchvision reports both as it reports a file that nvJPEG does not know."""
        images = self.images(tmp_path)
        part = prepare(images, READY, encoded=True)

        def short(files: list[torch.Tensor]) -> list[torch.Tensor]:
            raise RuntimeError(f"Error while decoding JPEG images: {message}\nException raised from")

        with pytest.raises(torch.OutOfMemoryError):
            decode_inputs(part.images, part.inputs, READY, CPU, short)

    def test_nvjpeg_waits_for_what_still_uses_memory_of_the_stream(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        stream = SimpleNamespace(synchronize=lambda: done.append("waited"))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)

        def decoder(
            files: list[torch.Tensor], mode: ImageReadMode, device: torch.device
        ) -> list[torch.Tensor]:
            done.append(f"decoded on {device}")
            return [decode_jpeg(each, mode) for each in files]

        monkeypatch.setattr("text2image.encoders.images.gpu_decoding.decode_jpeg", decoder)
        part = prepare(self.images(tmp_path), READY, encoded=True)
        decode_inputs(part.images, part.inputs, READY, CPU)
        assert done == ["waited", "decoded on cpu"]

    def test_large_pictures_are_decoded_a_few_at_a_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        images = self.images(tmp_path)
        part = prepare(images, READY, encoded=True)
        together = decode_inputs(part.images, part.inputs, READY, CPU, self.decoder([]))
        monkeypatch.setattr("text2image.encoders.images.gpu_decoding.PIXELS_AT_ONCE", 10_000)
        asked: list[int] = []
        assert torch.equal(decode_inputs(part.images, part.inputs, READY, CPU, self.decoder(asked)), together)
        assert len(asked) > 2
        assert max(asked) <= 2


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_a_gpu_resizes_with_floats_to_the_same_levels(interpolation: str) -> None:
    """The arithmetic that a GPU does, on the CPU: rounding alone may differ, by one level."""
    from text2image.encoders.images import preprocessing as module

    levels = torch.from_numpy(np.array(picture(90, 61))).permute(2, 0, 1)[None].contiguous()
    ours = module.by_floats(levels, (20, 31), interpolation)
    exact = module.resized(levels, (20, 31), interpolation)
    assert ours.dtype == torch.uint8
    assert (ours.int() - exact.int()).abs().max() <= 1
