"""The detector on a GPU: when it is used, what its sessions are, and what happens where they fail.

No GPU is needed: sessions of ONNX Runtime on the CPU stand for those on one, and count.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from tests.labels.ocr.test_source import ask, drawn, settings
from text2image.base.parallel import in_threads
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.labels.ocr import gpu
from text2image.labels.ocr.gpu import CPU, CUDA, SESSIONS, GpuDetector, gpu_detector, open_session
from text2image.labels.ocr.models import shipped
from text2image.labels.ocr.source import Source

NAME = "x"
SIDE = 64


class Card:
    """Counts the sessions of a GPU that is not there, and fails where it is told to."""

    def __init__(self) -> None:
        self.sessions: list[OnCard] = []
        self.room = SESSIONS
        self.fails: Callable[[OnCard, Any], bool] = lambda session, pixels: False

    def open(self, model: Path, max_side: int, *, on_gpu: bool) -> Any:
        if not on_gpu:
            return open_session(model, max_side, on_gpu=False)
        if len(self.sessions) >= self.room:
            raise RuntimeError("CUDA failure 2: out of memory")
        self.sessions.append(OnCard(self, open_session(model, max_side, on_gpu=False)))
        return self.sessions[-1]


class OnCard:
    """Computes on the CPU as its card says, and notes the sizes of images."""

    def __init__(self, card: Card, real: Any) -> None:
        self.card, self.real = card, real
        self.sizes: list[tuple[int, ...]] = []
        self.busy = Lock()

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def run(self, names: Any, feed: dict[str, Any], options: Any) -> Any:
        assert self.busy.acquire(blocking=False), "one thread at a time"
        try:
            (pixels,) = feed.values()
            if self.card.fails(self, pixels):
                raise RuntimeError("CUDA failure 2: out of memory")
            outputs = self.real.run(names, feed, options)
            self.sizes.append(pixels.shape[2:])
            return outputs
        finally:
            self.busy.release()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    """Install a provider, with a card."""
    made = Card()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(gpu, "open_session", made.open)
    return made


@pytest.fixture
def detector(card: Card) -> GpuDetector:
    made = gpu_detector(shipped("Det"), "auto", SIDE)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[ImageFile]:
    folder = tmp_path_factory.mktemp("images")
    sizes = ((200, 90), (160, 90), (200, 90), (160, 90), (96, 64), (200, 90))
    return [
        drawn(folder / f"{number}.png", [(f"SALE {number}0 %", 8, 20, 28)], size)
        for number, size in enumerate(sizes)
    ]


def noise(height: int, width: int, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    pixels = np.random.default_rng(seed).random((1, 3, height, width), dtype=np.float32)
    return {NAME: pixels}


def expected(feed: dict[str, npt.NDArray[np.float32]]) -> Any:
    return open_session(shipped("Det"), SIDE, on_gpu=False).run(None, feed)[0]


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_other_devices_never_ask_for_the_provider(device: str, card: Card) -> None:
    assert gpu_detector(shipped("Det"), device, SIDE) is None
    assert card.sessions == []


@pytest.mark.parametrize(("device", "said"), [("auto", ""), ("cuda", "onnxruntime-gpu in its place")])
def test_without_the_provider_the_cpu_is_used(
    device: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["AzureExecutionProvider", CPU])
    assert gpu_detector(shipped("Det"), device, SIDE) is None
    lines = capsys.readouterr().err.splitlines()
    assert [said in line for line in lines] == ([True] if said else [])


@pytest.mark.parametrize("room", [0, SESSIONS])
def test_a_provider_that_does_not_start_is_one_line(
    room: int, card: Card, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is listed wherever the package is installed, and then raises, or leaves the session to the CPU."""
    card.room = room
    monkeypatch.setattr(OnCard, "get_providers", lambda session: [CPU])
    assert gpu_detector(shipped("Det"), "auto", SIDE) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not start here" in line


def test_the_name_of_the_models_input_is_known() -> None:
    """So that the tests below give the model what RapidOCR gives it."""
    (given,) = GpuDetector(shipped("Det"), SIDE).get_inputs()
    assert given.name == NAME and given.shape[1] == 3


def test_answers_are_those_of_the_cpu(images: list[ImageFile], runtime: Runtime, card: Card) -> None:
    """With the sessions in RapidOCR's own engines, in more threads than there are sessions."""
    on_cpu = ask(images, runtime.model_copy(update={"device": "cpu"}))
    assert card.sessions == []
    many = runtime.model_copy(update={"device": "cuda", "workers": 6})
    assert ask(images, many) == on_cpu
    assert any(answer["lines"] for _, answer in on_cpu)
    assert sum(len(session.sizes) for session in card.sessions) == len(images)
    assert 1 <= len(card.sessions) <= SESSIONS


def test_the_key_of_answers_does_not_name_the_processor(card: Card) -> None:
    with_provider = Source(settings()).determinants()
    assert with_provider.keys() == {"rapidocr", "models", "max_side"}
    assert card.sessions == [], "and asking for it opens no session"


def test_threads_share_a_bounded_number_of_sessions(card: Card, detector: GpuDetector) -> None:
    """Eight threads at once: four sessions, none of them in two threads."""
    all_at_once = Barrier(8, timeout=60)
    feeds = [noise(SIDE, SIDE, seed) for seed in range(24)]

    def compute(index: int) -> Any:
        if index < 8:
            all_at_once.wait()
        return detector.run(None, feeds[index])[0]

    rows = list(in_threads(compute, range(len(feeds)), 8))
    assert len(card.sessions) <= SESSIONS
    for row, feed in zip(rows, feeds, strict=True):
        np.testing.assert_array_equal(row, expected(feed))


def test_a_session_keeps_to_images_of_one_size(card: Card, detector: GpuDetector) -> None:
    for height in (32, 64, 32, 64, 96, 32, 64, 96):
        detector.run(None, noise(height, SIDE))
    assert [set(session.sizes) for session in card.sessions[1:]] == [{(32, SIDE)}, {(64, SIDE)}, {(96, SIDE)}]
    detector.run(None, noise(128, SIDE))
    assert len(card.sessions) == SESSIONS, "the first, which only showed that the provider starts"
    assert card.sessions[0].sizes == [(128, SIDE)]
    detector.run(None, noise(160, SIDE))
    assert card.sessions[1].sizes[-1] == (160, SIDE), "the longest unused"


def test_a_session_that_fails_is_given_up(
    card: Card, detector: GpuDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    card.room = 2
    for height in (32, 64, 96):  # the third finds no room, and the two go on
        feed = noise(height, SIDE)
        np.testing.assert_array_equal(detector.run(None, feed)[0], expected(feed))
    assert "out of memory): going on with 2 at once" in capsys.readouterr().err
    card.fails = lambda session, pixels: True
    for height in (32, 64, 96, 96):
        feed = noise(height, SIDE)
        np.testing.assert_array_equal(detector.run(None, feed)[0], expected(feed))
    said = capsys.readouterr().err.splitlines()
    assert [line.rpartition("going on with ")[2] for line in said] == ["1 at once", "the CPU"]


def test_an_image_that_no_processor_can_read_costs_no_session(
    card: Card, detector: GpuDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = {NAME: np.zeros((1, 4, SIDE, SIDE), np.float32)}
    for _ in range(SESSIONS + 1):
        with pytest.raises(Exception, match=r"(?i)dimension|shape"):
            detector.run(None, strange)
    detector.run(None, noise(SIDE, SIDE))
    assert sum(len(session.sizes) for session in card.sessions) == 1
    assert capsys.readouterr().err == ""


def test_sessions_are_bounded_exact_and_the_same_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def session(model: str, options: Any, *, providers: Sequence[Any], enable_fallback: int) -> None:
        given.append((options, providers, enable_fallback))

    monkeypatch.setattr(gpu, "InferenceSession", session)
    for side in (640, 4000):
        gpu.open_session(Path("model.onnx"), side, on_gpu=True)
    gpu.open_session(Path("model.onnx"), 640, on_gpu=False)
    (small, large, on_cpu) = given
    (name, cuda), second = small[1]
    assert (name, second, on_cpu[1]) == (CUDA, CPU, [CPU])
    assert (cuda["use_tf32"], cuda["cudnn_conv_algo_search"]) == (0, "DEFAULT")
    assert small[0].use_deterministic_compute and not on_cpu[0].use_deterministic_compute
    assert cuda["gpu_mem_limit"] == 1 << 30
    assert large[1][0][1]["gpu_mem_limit"] == 2048 * 4000**2
    assert {fallback for *_, fallback in given} == {0}, "ONNX Runtime would print what it falls back to"
