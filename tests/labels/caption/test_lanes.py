"""Captions on an accelerator: the lanes that feed it, and what happens where its memory is short.

No accelerator is needed: a lane that computes on the CPU stands for one, and counts.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.tiny_captioners import SAVERS, Describe, settings
from text2image.base.console import InputError
from text2image.base.parallel import in_threads
from text2image.collection.images import open_each
from text2image.collection.manifest import ImageFile
from text2image.labels.caption.batches import PREPARERS, answered, scaled
from text2image.labels.caption.captioner import Captioner, load
from text2image.labels.caption.lanes import Batch, Batches, Lane
from text2image.labels.protocol.source import ImageAnswer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("offline")]

SIDE = 100


class Elsewhere:
    """A device that is no CPU."""

    type = "elsewhere"


class Stand(Lane):
    """A lane whose device is no CPU, and which computes on it all the same."""

    def __init__(self, model: Captioner, size: int) -> None:
        super().__init__(model, model.network, torch.device("cpu"), size)
        self.device: Any = Elsewhere()
        self.sizes: list[int] = []

    def _copied(self, features: Any) -> Any:
        if isinstance(features, str):
            return features
        self.sizes.append(len(features["pixel_values"]))
        return features.to(dtype=self.network.dtype)


def captions(lanes: list[Lane], images: list[ImageFile], workers: int = 2) -> list[ImageAnswer]:
    """Return the answers of lanes, as far as they come, and raise what there is to raise after them."""
    pictures = in_threads(lambda image: open_each([image], lambda one: scaled(one, SIDE)), images, workers)
    made: list[ImageAnswer] = []
    for answers, error in answered(lanes, pictures, workers):
        made += answers
        if error:
            raise error
    return made


def texts(answers: list[ImageAnswer]) -> list[tuple[str, Any]]:
    return [(key, answer.get("caption", answer.get("failure"))) for key, answer in answers]


@pytest.mark.parametrize("kind", SAVERS)
@pytest.mark.parametrize("lanes", [1, 2])
def test_answers_come_in_order_and_are_those_of_a_cpu(
    folders: dict[str, Path], images: list[ImageFile], describe: Describe, kind: str, lanes: int
) -> None:
    wanted = settings(folders[kind])
    model = load(wanted)
    found = captions([Stand(model, 2) for _ in range(lanes)], images)
    assert texts(found) == texts(describe(images, wanted))
    assert found == describe(images, wanted, 2), (
        "to the last digit of the confidence, in batches of the same size"
    )


@pytest.mark.parametrize(("kind", "expected"), [("encoder-decoder", PREPARERS), ("llava", 1)])
def test_batches_are_prepared_in_as_many_threads_as_the_processor_allows(
    folders: dict[str, Path],
    images: list[ImageFile],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    expected: int,
) -> None:
    most, at_once, lock = 0, 0, threading.Lock()
    model = load(settings(folders[kind]))
    prepare = model._prepare

    def slow(pictures: Any) -> Any:
        nonlocal most, at_once
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.1)
        with lock:
            at_once -= 1
            return prepare(pictures)

    monkeypatch.setattr(model, "_prepare", slow)
    captions([Stand(model, 1)], images, workers=8)
    assert most == expected


def test_a_batch_is_captioned_while_others_are_prepared_and_spelt_out(
    folders: dict[str, Path], images: list[ImageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step waits for another to be done with all batches, and the thread that asks computes nothing."""
    model = load(settings(folders["llava"]))
    threads: dict[str, set[str]] = {}
    order: list[str] = []

    def watch(name: str) -> None:
        step = getattr(model, name)

        def watched(*arguments: Any) -> Any:
            threads.setdefault(name, set()).add(threading.current_thread().name)
            order.append(name)
            time.sleep(0.05)
            result = step(*arguments)
            order.append(f"{name} done")
            return result

        monkeypatch.setattr(model, name, watched)

    for name in ("prepare", "generate", "spell"):
        watch(name)
    captions([Stand(model, 1)], images)
    assert {len(names) for names in threads.values()} == {1}
    assert len(set.union(*threads.values(), {threading.current_thread().name})) == 4
    starts = [place for place, event in enumerate(order) if event == "generate"]
    assert starts[1] < order.index("spell done"), "the next is under way before the last is spelt out"
    assert starts[0] < order.index("prepare", starts[0]) < order.index("generate done"), (
        "and others are prepared"
    )


def short_of_memory(monkeypatch: pytest.MonkeyPatch, room: int) -> list[int]:
    """Let a model caption ``room`` images at once, and return the list of what it was given."""
    given: list[int] = []
    generate = Captioner.generate

    def bounded(self: Captioner, features: Any, network: Any) -> Any:
        given.append(len(features["input_ids"] if "input_ids" in features else features["pixel_values"]))
        if given[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(self, features, network)

    monkeypatch.setattr(Captioner, "generate", bounded)
    return given


@pytest.mark.parametrize("kind", SAVERS)
def test_short_memory_halves_the_batch_and_goes_on(
    folders: dict[str, Path],
    images: list[ImageFile],
    describe: Describe,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    wanted = settings(folders[kind])
    many = images * 6
    alone = texts(describe(images, wanted)) * 6
    given = short_of_memory(monkeypatch, 2)
    lane = Stand(load(wanted), 8)
    assert texts(captions([lane], many)) == alone
    assert given[:3] == [8, 4, 2]
    assert (given.count(8), given.count(4)) == (1, 1), "batches under way are not tried again"
    assert lane.size == 2
    said = [line.partition("out of memory ")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "with 8 images at once: going on with 4",
        "with 4 images at once: going on with 2",
    ]


def test_a_device_without_room_for_one_image_is_one_sentence(
    folders: dict[str, Path], images: list[ImageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, 0)
    with pytest.raises(
        InputError, match=r"one image, found too little; .*label\.caption\.max_side"
    ) as caught:
        captions([Stand(load(settings(folders["llava"])), 4)], images)
    assert "\n" not in str(caught.value)


def test_a_strange_image_and_a_replaced_file_cost_no_other(
    folders: dict[str, Path], images: list[ImageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(settings(folders["encoder-decoder"]))
    prepare = model._prepare

    def fussy(pictures: Any) -> Any:
        if any(picture.width == 38 for picture in pictures):
            raise ValueError("absolute aspect ratio must be smaller than 200")
        return prepare(pictures)

    expected = texts(captions([Stand(model, 4)], images))
    expected[2] = (images[2].key, "the model cannot take this image (ValueError)")
    monkeypatch.setattr(model, "_prepare", fussy)
    assert texts(captions([Stand(model, 4)], images)) == expected
    gone = images[1]._replace(image_id="0" * 16)
    came: list[ImageAnswer] = []
    pictures = (open_each([image], lambda one: scaled(one, SIDE)) for image in [images[0], gone, *images[3:]])
    with pytest.raises(InputError, match="found other bytes"):
        for answers, error in answered([Stand(model, 4)], pictures, 2):
            came += answers
            if error:
                raise error
    assert texts(came) == [expected[0], *expected[3:5]]


class Features(dict[str, torch.Tensor]):
    """What a processor returns, which notes where it is sent."""

    def __init__(self, events: list[Any]) -> None:
        super().__init__(pixel_values=torch.zeros(1, 3))
        self.events = events

    def to(self, device: Any = None, *, dtype: Any = None, non_blocking: bool = False) -> "Features":
        if device is not None and str(device) != "moved":
            self.events.append(("to", str(device), non_blocking))
        return self


def test_a_gpu_copies_pinned_memory_on_a_stream_of_its_own(
    folders: dict[str, Path], images: list[ImageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls of torch, in their order; what they do is measured where there is a GPU."""
    events: list[Any] = []

    class Stream:
        def __init__(self, name: str) -> None:
            self.name = name

        def record_event(self) -> str:
            events.append(("event", self.name))
            return "copied"

        def wait_event(self, event: str) -> None:
            events.append(("wait", self.name, event))

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        events.append(("on", stream.name))
        yield

    def pinned(tensor: torch.Tensor) -> torch.Tensor:
        events.append("pin")
        return tensor

    def generated(*arguments: Any) -> list[tuple[list[int], float]]:
        events.append("generate")
        return [([1], 0.5)]

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("copies"))
    monkeypatch.setattr(torch.cuda, "default_stream", lambda device: Stream("computes"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream("computes"))
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    monkeypatch.setattr(Captioner, "generate", generated)
    model = load(settings(folders["encoder-decoder"]))
    lane = Lane(model, model.network, torch.device("cuda", 0), 1)
    part = Batch(images[:1], [], 1, Features(events))
    loaded = lane.load(Batches([part], None))
    assert events == [("on", "copies"), "pin", ("to", "cuda:0", True), ("event", "copies")]
    events.clear()
    lane.compute(loaded)
    assert events[:2] == [("on", "computes"), ("wait", "computes", "copied")]
    assert events[-1] == "generate"
