"""Images through a model on every machine of a Ray cluster, as one Ray Data pipeline.

Images go out in small chunks, each a task, to a pool of actors that hold a model each; results come back
chunk by chunk, in any order, and the caller stores them on this machine. An actor or machine that is lost
is replaced and its chunks are computed again elsewhere, as often as it takes: Ray Data ends a run in which
nothing has moved for half an hour. What is wrong with the work itself (a changed file,
a missing model) comes back as a result that says so, since Ray would take an exception's traceback apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from text2image.base.console import InputError, one_line, say
from text2image.base.settings import Runtime
from text2image.cluster.actor import Outcome, Start, Worker
from text2image.cluster.connection import connected
from text2image.cluster.pool import Pool, choose_pool
from text2image.collection.manifest import ImageFile

TASKS_AN_ACTOR = 4  # at least, so that a slow machine does not hold up the end


class TaskSize(NamedTuple):
    """Images a task at most: few enough that little is lost with a machine, enough to be worth sending.

    Attributes:
        on_cpu: where it runs on CPUs.
        on_gpu: where it runs on GPUs; None if it never does.
    """

    on_cpu: int
    on_gpu: int | None


def map_images(
    start: Start, images: Sequence[ImageFile], runtime: Runtime, most: TaskSize
) -> Iterator[list[tuple[str, bytes]]]:
    """Yield ``[(image_id, result), …]`` chunk by chunk, in any order.

    Args:
        start: loads the model on a worker.
        images: files that every machine sees; relative paths are made absolute here.
        runtime: ``device``, ``workers`` and ``ray``.
        most: images a chunk, unless ``runtime.ray.images_per_task`` says otherwise.

    Raises:
        InputError: Ray or the cluster is not there, a machine does not see a file or has other models, or
            the work failed; what was finished before has been yielded.
    """
    with connected():
        import ray

        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        on_gpu = most.on_gpu if wants_gpus(runtime, machines) else None
        pool = choose_pool(machines, runtime.ray.actors, on_gpus=on_gpu is not None)
        size = runtime.ray.images_per_task or chunk_size(len(images), pool.actors, on_gpu or most.on_cpu)
        chunks = cut(images, size)
        say(
            f"ray: {len(images)} images in {len(chunks)} tasks for {pool.actors} workers, {len(machines)} machines"
        )
        try:
            for outcome in outcomes(start, chunks, pool, runtime):
                yield outcome.results
                if outcome.error:
                    raise InputError(_sentence(outcome, ray.nodes()))
        except InputError:
            raise
        except Exception as error:  # Ray's own, of several modules: what fails in a worker is an outcome
            raise InputError(
                f"expected the Ray cluster to finish the work, found {type(error).__name__}: {one_line(error, 500)}"
            ) from None


def cut(images: Sequence[ImageFile], size: int) -> list[list[ImageFile]]:
    """Cut images into chunks, with paths that other machines and processes can use."""
    absolute = [
        image._replace(path=image.path.absolute()) if isinstance(image.path, Path) else image
        for image in images
    ]
    return [absolute[first : first + size] for first in range(0, len(absolute), size)]


def outcomes(
    start: Start, chunks: Sequence[Sequence[ImageFile]], pool: Pool, runtime: Runtime
) -> Iterator[Outcome]:
    """Run the pipeline and yield what workers make of each chunk."""
    import logging

    import pyarrow as pa
    import ray.data
    from ray import cloudpickle

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # the stage shows its own
    tables = [pa.table({"images": [cloudpickle.dumps(chunk)]}) for chunk in chunks]
    dataset = ray.data.from_arrow(tables).map_batches(
        Worker,
        fn_constructor_args=(start, runtime, pool),
        batch_size=1,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=min(pool.actors, len(chunks))),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
    )
    for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        for value in table["outcome"]:
            yield cloudpickle.loads(value.as_py())


def wants_gpus(runtime: Runtime, machines: Sequence[dict[str, float]]) -> bool:
    """Say whether to compute on GPUs: asked for, or there and not declined."""
    some = any(machine.get("GPU", 0.0) >= 1 for machine in machines)
    return runtime.device == "cuda" or (runtime.device == "auto" and some)


def chunk_size(images: int, actors: int, most: int) -> int:
    """Return images a chunk: ``most``, or fewer where every actor would not get several chunks."""
    return max(1, min(most, images // (actors * TASKS_AN_ACTOR)))


def _sentence(outcome: Outcome, nodes: Sequence[dict[str, Any]]) -> str:
    """Say in one sentence what went wrong, and on which machine."""
    name_of = {
        node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})" for node in nodes
    }
    machine = name_of.get(outcome.node, outcome.node)
    if outcome.unseen and Path(outcome.unseen).exists():
        return (
            f"expected every machine of the Ray cluster to see {one_line(outcome.unseen)}, found that {machine} does "
            "not; put data.images (params.yaml) on a path that all machines share"
        )
    return f"{outcome.error} (on {machine})"
