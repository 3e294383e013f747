"""Images through a model on every machine of a Ray cluster, as one Ray Data pipeline.

Images go out in small chunks, each a task, to a pool of actors that hold a model each; results come back
chunk by chunk, in any order, and the caller stores them on this machine. An actor or machine that is lost
is replaced and its chunks are computed again elsewhere, as often as it takes: Ray Data ends a run in which
nothing has moved for half an hour. What is wrong with the work itself (a changed file,
a missing model) comes back as a result that says so, since Ray would take an exception's traceback apart.
"""

import logging
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from text2image.base.console import InputError, one_line, say
from text2image.base.settings import Runtime
from text2image.cluster.actor import Outcome, Start, Worker
from text2image.cluster.connection import connected
from text2image.collection.manifest import ImageFile

TASKS_AN_ACTOR = 4  # at least, so that a slow machine does not hold up the end
CPU_SHARE = 0.5  # of the smallest machine's CPUs, for its workers; Ray Data's own tasks need some, too

TaskSize = tuple[int, int | None]
"""Images a task at most, on CPUs and on GPUs; None for work that never runs on GPUs."""


class Pool(NamedTuple):
    """Workers that hold a model each.

    Attributes:
        actors: how many of them.
        cpus: logical CPUs that each claims; its threads use the machine's cores all the same.
        gpus: GPUs that each claims.
        sharing: how many of them share a machine and its cores.
    """

    actors: int
    cpus: float
    gpus: float
    sharing: int


def map_images(
    start: Start, images: Sequence[ImageFile], runtime: Runtime, most: TaskSize
) -> Iterator[list[tuple[str, bytes]]]:
    """Yield ``[(key, result), …]`` chunk by chunk, in any order.

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
        on_cpu, on_gpu = most if wants_gpus(runtime, machines) else (most[0], None)
        pool = choose_pool(machines, runtime.ray.actors, on_gpus=on_gpu is not None)
        fair = max(1, len(images) // (pool.actors * TASKS_AN_ACTOR))
        chunks = cut(images, runtime.ray.images_per_task or min(on_gpu or on_cpu, fair))
        say(
            f"ray: {len(images)} images in {len(chunks)} tasks for {pool.actors} workers, {len(machines)} machines"
        )
        try:
            # Closed before the connection: a thread of Ray's that asked after it would end the whole process.
            with closing(outcomes(start, chunks, pool, runtime)) as coming:
                for outcome in coming:
                    yield outcome.results
                    if outcome.error:
                        raise InputError(_sentence(outcome, ray.nodes()))
        except InputError:
            raise
        except Exception as error:  # Ray's own, of several modules: what fails in a worker is an outcome
            raise InputError(
                f"expected the Ray cluster to finish the work, found {type(error).__name__}: {one_line(error, 500)}"
            ) from None


def wants_gpus(runtime: Runtime, machines: Sequence[dict[str, float]]) -> bool:
    """Return whether to compute on GPUs: asked for, or there and not declined."""
    some = any(machine.get("GPU", 0.0) >= 1 for machine in machines)
    return runtime.device == "cuda" or (runtime.device == "auto" and some)


def choose_pool(machines: Sequence[dict[str, float]], wanted: int | None, *, on_gpus: bool) -> Pool:
    """Choose one worker a GPU, or without GPUs one a machine, since its threads use every core.

    On CPUs a worker claims half of the smallest machine's, so that a machine can take over the worker of another
    that was lost.

    Args:
        machines: the resources of each live machine, as Ray names them: ``{"CPU": 8.0, "GPU": 1.0, …}``.
        wanted: ``runtime.ray.actors``: so many instead.
        on_gpus: the work runs on GPUs.

    Raises:
        InputError: no machine offers what a worker needs.
    """
    resource = "GPU" if on_gpus else "CPU"
    offers = [offer for machine in machines if (offer := machine.get(resource, 0.0)) > 0]
    if not offers:
        raise InputError(
            f"expected a machine with a {resource} in the Ray cluster (params key runtime.engine), "
            f"found {len(machines)} machines without one"
        )
    if on_gpus:
        total = math.floor(sum(offers))
        return Pool(min(wanted or total, total), 0.0, 1.0, math.floor(max(offers)))
    actors = wanted or len(offers)
    sharing = math.ceil(actors / len(offers))
    claim = min(offers) * CPU_SHARE / sharing
    return Pool(actors, math.floor(claim) if claim >= 1 else claim, 0.0, sharing)  # Ray takes no 1.5 CPUs


def cut(images: Sequence[ImageFile], size: int) -> list[list[ImageFile]]:
    """Cut images into chunks, with paths that other machines and processes can use."""
    absolute = [
        image._replace(root=image.root.absolute()) if isinstance(image.root, Path) else image
        for image in images
    ]
    return [absolute[first : first + size] for first in range(0, len(absolute), size)]


def outcomes(
    start: Start, chunks: Sequence[Sequence[ImageFile]], pool: Pool, runtime: Runtime
) -> Generator[Outcome, None, None]:
    """Run the pipeline and yield what workers make of each chunk."""
    import pyarrow as pa
    import ray.data
    from ray import cloudpickle

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False  # the stage shows its own
    if pool.gpus:
        runtime = runtime.model_copy(update={"device": "cuda"})
    tables = [pa.table({"images": [cloudpickle.dumps(chunk)]}) for chunk in chunks]
    dataset = ray.data.from_arrow(tables).map_batches(
        Worker,
        fn_constructor_args=(start, runtime, pool.sharing),
        batch_size=1,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=min(pool.actors, len(chunks))),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
    )
    for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        for value in table["outcome"]:
            yield cloudpickle.loads(value.as_py())


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
