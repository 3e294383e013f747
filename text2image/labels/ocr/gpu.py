"""The detector on a GPU, through the CUDA provider of ONNX Runtime, where a user has installed that.

Only the detector moves. The recogniser gets one line at a time, each of another width, and ONNX Runtime prepares every
convolution anew when a width changes: a GPU then takes about as long for a line as one core does, and there are more cores.
So lines are read on the CPU as ever, and where the detector finds the same boxes, texts and confidences are the same to
the last bit.

Answers are stored under the same key whichever processor made them, as vectors and captions are: ``runtime`` decides about
speed, not about results. Arithmetic is full float32 (no TF32) and kernels are chosen by a fixed rule, not by
timing, so that what differs from a CPU is the last bits of the detector's map, which may move a corner by a pixel.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from threading import Condition
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime import InferenceSession, SessionOptions

from text2image.base.console import one_line, say

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
SESSIONS = 4  # on a GPU: enough to keep it busy, and each has memory of its own
BYTES_A_PIXEL = 2048  # of the largest image, for the detector's activations: five times what a CPU takes
LEAST_MEMORY = 1 << 30  # bytes a session
SILENT = 4  # of ONNX Runtime's levels: fatal errors alone

Shape: TypeAlias = tuple[int, ...]


def gpu_detector(model: Path, device: str, max_side: int) -> "GpuDetector | None":
    """Return the detector on a GPU; None where it runs on the CPU, with one line that says why if a GPU was expected.

    A missing provider is no error: answers are those of a GPU within the last bits, and ``runtime.device: cuda`` is
    about models of torch, which need no package that excludes another.

    Args:
        model: the detector's file.
        device: ``runtime.device``.
        max_side: pixels, of the largest image.
    """
    if device not in ("auto", "cuda"):
        return None
    if CUDA not in onnxruntime.get_available_providers():
        if device == "cuda":
            say(
                "label ocr: text is found on the CPU, since the package onnxruntime knows no GPU; "
                "docs/gpu.md says how to install onnxruntime-gpu in its place"
            )
        return None
    load_libraries()
    detector = GpuDetector(model, max_side)
    if not detector.starts():
        say(
            "label ocr: text is found on the CPU, since the CUDA provider of onnxruntime-gpu does not start here; "
            "docs/gpu.md says which libraries it needs"
        )
        return None
    return detector


def load_libraries() -> None:
    """Load the CUDA libraries that came with torch, without importing it; what is missing shows where a session starts."""
    onnxruntime.set_default_logger_severity(SILENT)
    if hasattr(onnxruntime, "preload_dlls"):  # from version 1.21 on
        with redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()


def open_session(model: Path, max_side: int, *, on_gpu: bool) -> InferenceSession:
    """Return a session of one thread; one on a GPU has the CPU as its second choice.

    A search for the fastest kernels (``EXHAUSTIVE``, RapidOCR's setting, and ``HEURISTIC``) takes up to seconds whenever the
    size of an image changes, and what it finds differs from run to run.
    """
    options = SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    cuda = {
        "cudnn_conv_algo_search": "DEFAULT",
        "use_tf32": 0,
        "arena_extend_strategy": "kNextPowerOfTwo",  # the other strategy keeps a block for every size of image
        "gpu_mem_limit": max(LEAST_MEMORY, BYTES_A_PIXEL * max_side**2),
    }
    options.use_deterministic_compute = on_gpu
    providers = [(CUDA, cuda), CPU] if on_gpu else [CPU]
    return InferenceSession(str(model), options, providers=providers, enable_fallback=0)


class GpuDetector(InferenceSession):
    """At most ``SESSIONS`` sessions on a GPU, which any number of threads share as if they were one.

    A session runs for one thread at a time, and prefers images of the size that it ran last. One that fails, mostly because
    memory is short, is given up, and its image computed on the CPU; so are all when none is left.
    """

    def __init__(self, model: Path, max_side: int) -> None:
        self._model, self._max_side = model, max_side
        self._on_cpu = open_session(model, max_side, on_gpu=False)
        self._idle: list[
            tuple[Shape, InferenceSession]
        ] = []  # with the size run last, the longest unused first
        self._made, self._most = 0, SESSIONS
        self._changed = Condition()

    def starts(self) -> bool:
        """Tell whether a session runs on a GPU here; it is kept."""
        try:
            session = open_session(self._model, self._max_side, on_gpu=True)
        except (
            Exception
        ):  # ONNX Runtime has an exception for each kind of failure: no driver, no device, no memory
            return False
        if session.get_providers()[0] != CUDA:
            return False
        self._idle.append(((), session))
        self._made = 1
        return True

    def get_inputs(self) -> Sequence[Any]:
        """Return what ONNX Runtime knows of the model's inputs."""
        inputs: Sequence[Any] = self._on_cpu.get_inputs()
        return inputs

    def get_outputs(self) -> Sequence[Any]:
        """Return what ONNX Runtime knows of the model's outputs."""
        outputs: Sequence[Any] = self._on_cpu.get_outputs()
        return outputs

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, npt.NDArray[Any]],
        run_options: Any = None,
    ) -> Sequence[npt.NDArray[np.float32]]:
        """Return the model's outputs, computed on the GPU if it can."""
        shape = next(iter(input_feed.values())).shape
        session = self._take(shape)
        if session is None:
            return self._run_on_cpu(output_names, input_feed, run_options)
        try:
            outputs: Sequence[npt.NDArray[np.float32]] = session.run(output_names, input_feed, run_options)
        except Exception as error:  # ONNX Runtime's own, by kind of failure
            try:
                outputs = self._run_on_cpu(output_names, input_feed, run_options)
            except Exception:
                self._give_back(shape, session)  # the fault is the image's
                raise
            self._give_up(error)
        else:
            self._give_back(shape, session)
        return outputs

    def _run_on_cpu(self, *arguments: Any) -> Sequence[npt.NDArray[np.float32]]:
        outputs: Sequence[npt.NDArray[np.float32]] = self._on_cpu.run(*arguments)
        return outputs

    def _take(self, shape: Shape) -> InferenceSession | None:
        """Return a session, if possible one that ran images of this size last; None if there is none any more."""
        with self._changed:
            while self._most and not self._idle and self._made >= self._most:
                self._changed.wait()
            if not self._most:
                return None
            fitting = [place for place, (last, _) in enumerate(self._idle) if last == shape]
            if fitting or self._made >= self._most:
                return self._idle.pop(fitting[0] if fitting else 0)[1]
            self._made += 1
        try:
            return open_session(self._model, self._max_side, on_gpu=True)
        except Exception as error:
            self._give_up(error)
            return None

    def _give_back(self, shape: Shape, session: InferenceSession) -> None:
        with self._changed:
            self._idle.append((shape, session))
            self._changed.notify()

    def _give_up(self, error: Exception) -> None:
        """Go on with one session less."""
        with self._changed:
            self._made -= 1
            self._most = min(self._most, self._made)
            left = self._most
            self._changed.notify_all()
        going_on = f"{left} at once" if left else "the CPU"
        say(f"label ocr: the GPU failed ({one_line(error, 80)}): going on with {going_on}")
