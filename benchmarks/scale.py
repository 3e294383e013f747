"""What large collections cost, in seconds and in memory: ``python -m benchmarks.scale [--images N]``.

Makes a project of N small generated images (64 × 48 pixels, 10,000 by default) in a temporary folder, with a
caption for each of the first 10,000. The model is the built-in one, or with ``--model tiny`` an open_clip
model with random weights and towers of one layer, for 100,000 images: embedding 1 % of them takes less than
what start-up varies by. Then, in one run:

- every stage from the catalog to the evaluation: its seconds, DVC included, and the peak memory of DVC and
  the stage together (the sum of the resident sizes of all their processes, which counts shared pages twice);
- `dvc repro` with nothing changed, and with another ``evaluate.k``, for the whole pipeline;
- the catalog and the embedding after 1 % of images was added. What one more image costs is start-up; what
  1 % costs beyond that, in both together, is set against the first embedding beyond start-up.
"""

import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image

from benchmarks.table import Row, against, at_most, reference, report, require, within
from tests.support.pipeline import Project, new_project, tiny_model

QUERIES = 10_000
REPEATS = 3  # the best counts, since others may compute
MAX_SHARE, MAX_NOTHING_S, MAX_K_S, MAX_GIB = 0.02, 2.5, 5.0, 4.0
WORDS = [
    "red",
    "blue",
    "old",
    "new",
    "small",
    "large",
    "quiet",
    "loud",
    "round",
    "flat",
    "shoe",
    "lamp",
    "chair",
    "bottle",
    "clock",
    "watch",
    "tent",
    "kite",
]


class Cost(NamedTuple):
    """Seconds and peak memory of a command and all the processes that it started."""

    seconds: float
    gib: float


def measured(project: Project, *command: str) -> Cost:
    """Run a command in the project.

    Raises:
        SystemExit: it failed.
    """
    peak, done = 0, threading.Event()
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=project.root, env=project.environment(), stdout=log, stderr=subprocess.STDOUT
        )

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.1):
                peak = max(peak, resident(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
        if code:
            log.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{log.read()[-3000:]}")
    return Cost(seconds, peak / 2**30)


def resident(pid: int) -> int:
    """Return the bytes that a process and its descendants hold in memory."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def draw(project: Project, numbers: range) -> None:
    """Write one picture of random blots a number, in two folders."""
    for number in numbers:
        path = project.root / "data" / "images" / str(number % 2) / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        blots = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(blots).resize((64, 48), Image.Resampling.BILINEAR).save(path, quality=80)


def caption(number: int) -> str:
    """Return a text of its own for each number."""
    words = np.random.default_rng(number).choice(WORDS, 3, replace=False)
    return f"{' '.join(words)} {number}"


def make_project(root: Path, images: int, model: str) -> Project:
    """Return a project with so many images that DVC has not seen."""
    project = new_project(root, sources=["human"])
    for path in (root / "data" / "images").rglob("*.jpg"):
        path.unlink()
    draw(project, range(images))
    rows = [f"{n % 2}/{n:06}.jpg,{caption(n)}\n" for n in range(min(images, QUERIES))]
    (root / "labels.csv").write_text("path,text\n" + "".join(rows))
    project.set(embed__models=[model])
    if model == "tiny":
        tiny_model(root / "tiny", dimension=512, image_width=64, text_width=64)
        described = {"name": "local-dir:tiny", "pretrained": None, "context_length": None}
        project.set(models__tiny=described)
    return project


def rows(images: int = 10_000, model: str = "builtin") -> Iterator[Row]:
    """Yield the rows of the table. What a rerun may take is asked of 10,000 images."""
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / "project", images, model)
        first = stages(
            project, model, f"the pipeline on {images:,} small images with {min(images, QUERIES):,} queries"
        )
        yield first
        for row, limit in zip(reruns(project, first), (MAX_NOTHING_S, MAX_K_S), strict=True):
            yield within(row, limit) if images <= QUERIES else row
        beyond = additions(project, images, model, first.part)
        yield beyond[0]
        yield at_most(beyond[1], MAX_SHARE) if model == "builtin" else beyond[1]


def stages(project: Project, model: str, part: str) -> Row:
    """Run stage by stage, print what each costs, and return them all together."""
    project.run("dvc", "repro", "builtin_model")
    costs = {}
    for stage in (
        "catalog", f"model@{model}", "label_inputs", "label@human", f"embed_images@{model}",
        f"embed_queries@{model}-human", "relevance", f"retrieve@{model}-human", "evaluate",
    ):  # fmt: skip
        costs[stage] = measured(project, "dvc", "repro", "--single-item", stage)
        print(f"  {stage:<28}{costs[stage].seconds:8.1f} s {costs[stage].gib:6.2f} GiB", file=sys.stderr)
    rest = measured(project, "dvc", "repro")
    print(f"  {'the other stages':<28}{rest.seconds:8.1f} s {rest.gib:6.2f} GiB", file=sys.stderr, flush=True)
    total, peak = sum(cost.seconds for cost in costs.values()), max(cost.gib for cost in costs.values())
    row = reference(part, "from the catalog to the measures, one stage after the other", total, peak)
    return row._replace(asked=f"at most {MAX_GIB:g} GiB", held=peak <= MAX_GIB)


def reruns(project: Project, first: Row) -> list[Row]:
    """Time `dvc repro` with nothing changed and with another k; the best of three."""
    nothing = min(measured(project, "dvc", "repro").seconds for _ in range(REPEATS))
    times = []
    for ks in ([1, 5], [1, 3], [2, 5]):
        project.set(evaluate__k=ks)
        times.append(measured(project, "dvc", "repro").seconds)
    return [
        against(first, "`dvc repro`, nothing changed", nothing),
        against(first, "`dvc repro`, another `evaluate.k`", min(times)),
    ]


def additions(project: Project, images: int, model: str, part: str) -> list[Row]:
    """Add 1 % of the images and set what they cost against the first time."""
    commands = {"catalog": ("stages.catalog",), "embed_images": ("stages.embed_images", model)}
    added: dict[str, list[float]] = {name: [] for name in commands}
    start = images
    for count in (1, images // 100) * REPEATS:
        draw(project, range(start, start + count))
        start += count
        time.sleep(2.1)  # a file that was just written is not yet trusted
        for name, command in commands.items():
            added[name].append(measured(project, "python", "-m", *command).seconds)
    for space in (project.root / ".cache").glob("*"):
        if space.name in ("catalog", "embeddings"):
            for path in space.iterdir():
                path.unlink()
    beyond = compute = 0.0
    for name, command in commands.items():
        first = measured(project, "python", "-m", *command).seconds
        one, percent = min(added[name][::2]), min(added[name][1::2])
        beyond += max(0.0, percent - one)
        compute = first - one  # of the embedding, which comes last
        print(
            f"  {name}: first {first:.1f} s; one image more {one:.2f} s; 1 % more {percent:.2f} s",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    base = reference(part, "the first embedding, beyond start-up", compute)
    return [base, against(base, "1 % more images: catalog and embedding, beyond start-up", beyond)]


def main() -> None:
    parser = ArgumentParser("python -m benchmarks.scale")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--model", choices=["tiny", "builtin"], default="builtin")
    options = parser.parse_args()
    require(report(rows(options.images, options.model)))


if __name__ == "__main__":
    main()
