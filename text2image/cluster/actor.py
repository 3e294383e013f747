"""What runs on a cluster's machines: an actor that holds a model, and what it makes of a chunk of images."""

import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from text2image.base.console import InputError, one_line
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile

Work = Callable[[Sequence[ImageFile]], Iterable[tuple[str, bytes]]]
"""A loaded model: yields ``(key, result)`` for images, as the store names them."""
Start = Callable[[Runtime], Work]
"""Loads a model on a worker, given how it computes there; defined in a module, so that it can be sent."""


class Outcome(NamedTuple):
    """What a worker made of a chunk: its results, up to an error if there was one.

    Attributes:
        node: Ray's id of the machine.
        results: ``(key, result)``.
        error: what was wrong, in one sentence; empty if nothing.
        unseen: a file that this machine does not see; empty if none.
    """

    node: str
    results: list[tuple[str, bytes]]
    error: str = ""
    unseen: str = ""


class Worker:
    """An actor: loads its model with its first chunk and works through one chunk after the other."""

    def __init__(self, start: Start, runtime: Runtime, sharing: int) -> None:
        os.environ.pop(
            "OMP_NUM_THREADS", None
        )  # Ray sets it to the CPUs claimed, which say nothing of threads
        if sharing > 1 and runtime.workers is None:
            runtime = runtime.model_copy(update={"workers": max(1, (os.cpu_count() or 1) // sharing)})
        self._start, self._runtime = start, runtime
        self._work: Work | None = None

    def __call__(self, table: Any) -> Any:
        """Return an Arrow table with one outcome for a table with one chunk."""
        import pyarrow as pa
        from ray import cloudpickle

        outcomes = [self._outcome(cloudpickle.loads(value.as_py())) for value in table["images"]]
        return pa.table({"outcome": [cloudpickle.dumps(outcome) for outcome in outcomes]})

    def _outcome(self, images: Sequence[ImageFile]) -> Outcome:
        import ray

        outcome = Outcome(ray.get_runtime_context().get_node_id(), [])
        try:
            self._work = self._work or self._start(self._runtime)
            for result in self._work(images):
                outcome.results.append(result)
        except InputError as error:
            paths = [image.path for image in images if isinstance(image.path, Path)]
            unseen = next((str(path) for path in paths if not path.exists()), "")
            return outcome._replace(error=str(error), unseen=unseen)
        except Exception as error:  # a defect: where it is says more than Ray's traceback of a traceback
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return outcome._replace(
                error=f"expected a worker to finish its images, found {type(error).__name__}: "
                f"{one_line(error)} ({Path(frame.filename).name}, line {frame.lineno})"
            )
        return outcome
