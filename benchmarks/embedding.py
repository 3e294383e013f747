"""Embedding from JPEG files to vectors, end to end: ``python -m benchmarks.embedding [--rounds N] [MODEL …]``.

The real stage in both precisions, against a DataLoader with open_clip's own transform and an fp32 loop (the
pattern of CLIP_benchmark), against the pattern of clip-retrieval's worker (whose releases ask for a numpy that
this project has left behind), and against the bound: start-up, plus the forward pass alone, plus decoding
alone, each in the best way known here and with all cores. Every figure holds the start of the process; all
are measured in one run, one after the other, round by round, and the median counts. The photographs are
made here: 640 x 480 pixels of gradients, structures and noise, JPEG quality 85, some 90 KB each. ViT models
have random weights, which take the same time as trained ones. At the end HitRate@5 and MRR of the built-in
model in both precisions, on the pipeline's own images and queries.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import yaml
from PIL import Image

from benchmarks.table import Row, against, at_most, reference, report, require

REPOSITORY = Path(__file__).resolve().parents[1]
SIZE = (640, 480)
ROUNDS = 3
COUNTS = {"ViT-B-32": 1000, "ViT-B-16-SigLIP": 300, "builtin": 1000}
LOADER_BATCH, FORWARD_IMAGES, DECODED_IMAGES = 64, 64, 200
WORKER_BATCH, WORKER_LOADERS = 256, 4  # clip-retrieval's own
FASTER = {"fp32": 1.15, "bf16": 2.1}  # than the DataLoader loop, ViTs at least
SHARE_OF_BOUND, SHARE_OF_BUILTIN = 0.9, 0.85


def photograph(seed: int) -> bytes:
    """Return a JPEG with smooth gradients, structures of several pixels, and the noise of a sensor."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / width * rng.uniform(2, 9) + y / height * rng.uniform(2, 9)) for _ in range(3)]
    patches = rng.integers(0, 256, (height // 16, width // 16, 3)).astype(np.uint8)
    structures = np.asarray(Image.fromarray(patches).resize(SIZE, Image.Resampling.BICUBIC), dtype=np.float64)
    pixels = (
        128 + 70 * np.stack(waves, axis=-1) + 0.4 * (structures - 128) + rng.normal(0, 5, (height, width, 3))
    )
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def random_model(name: str, directory: Path) -> None:
    """Write a checkpoint directory of an architecture of open_clip, with seeded random weights."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    directory.mkdir(parents=True)
    described = open_clip.get_model_config(name)
    described["text_cfg"].pop("hf_tokenizer_name", None)  # its files are on the hub, and no text is embedded
    config = {"model_cfg": described, "preprocess_cfg": {}}
    weights = {key: value.contiguous() for key, value in open_clip.create_model(name).state_dict().items()}
    save_file(weights, directory / "open_clip_model.safetensors")
    (directory / "open_clip_config.json").write_text(json.dumps(config))


def make_project(root: Path, models: Sequence[str], count: int) -> None:
    """Make the folder that the stage runs in: photographs, manifest, models with their cards, params."""
    from text2image.collection.images import image_id
    from text2image.encoders.builtin.assemble import build
    from text2image.encoders.models.card import describe
    from text2image.encoders.settings import Model

    (root / "data/images").mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        photographs = list(pool.map(photograph, range(count)))
    rows = []
    for number, content in enumerate(photographs):
        (root / f"data/images/{number:04}.jpg").write_bytes(content)
        rows.append(f"{image_id(content)},{number:04}.jpg\n")
    (root / "manifest.csv").write_text("image_id,path\n" + "".join(rows))
    for name in models:
        directory = root / "data/models" / name
        build(directory) if name == "builtin" else random_model(name, directory)
        described = Model(name=f"local-dir:{directory}", pretrained=None, context_length=None)
        directory.with_suffix(".json").write_text(json.dumps(describe(name, described)))


def prepare(root: Path, name: str, count: int, precision: str) -> None:
    """Set the first ``count`` photographs and a precision, and forget all embeddings of before."""
    lines = (root / "manifest.csv").read_text().splitlines(keepends=True)
    (root / "data/manifest.csv").write_text("".join(lines[: count + 1]))
    params: dict[str, Any] = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"]["images"] = "data/images"
    params["embed"] |= {"models": [name], "precision": precision}
    entry = {"name": f"local-dir:data/models/{name}", "pretrained": None, "context_length": None}
    params["models"] = {name: entry}
    params["retrieve"]["systems"], params["systems"], params["zoo"]["models"] = [name], {}, [name]
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    for path in [*(root / ".cache").rglob("*.sqlite*"), *(root / "data/embeddings").rglob("*.npy")]:
        path.unlink()


class Run(NamedTuple):
    """What a Python process took, its peak memory, and what it printed."""

    seconds: float
    gib: float
    printed: str


def run(root: Path, *arguments: str) -> Run:
    """Run a Python process.

    Raises:
        RuntimeError: it failed.
    """
    environment = os.environ | {"DVC_ROOT": str(root), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=root, env=environment, stdout=out, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{said.read()[-3000:]}")
        out.seek(0)
        return Run(seconds, usage.ru_maxrss / 2**20, out.read())


class Photographs:
    """The first ``count`` photographs, each through ``transform``: a dataset for a DataLoader."""

    def __init__(self, transform: Callable[[Image.Image], Any], count: int) -> None:
        self.transform, self.count = transform, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Any:
        return self.transform(Image.open(f"data/images/{number:04}.jpg"))


def loader(directory: Path, count: int) -> None:
    """Embed with a DataLoader and a loop in fp32, as CLIP_benchmark does it."""
    import torch
    from torch.utils.data import DataLoader

    from text2image.encoders.models.local_dir import load_local_dir

    network, transform, _ = load_local_dir(directory)

    batches = DataLoader(
        Photographs(transform, count), batch_size=LOADER_BATCH, num_workers=os.cpu_count() or 1
    )
    with torch.no_grad():
        rows = [torch.nn.functional.normalize(network.encode_image(batch), dim=-1) for batch in batches]
    np.save("loader.npy", torch.cat(rows).numpy())


def worker(directory: Path, count: int) -> None:
    """Embed as a worker of clip-retrieval does it.

    That is: the model loaded once for its transform and once for its towers, each time with a pass of a whole
    batch to warm up; a DataLoader with its default batch and number of loaders, whatever the machine; fp32 on
    a CPU; float16 to numpy.
    """
    import torch
    from torch.utils.data import DataLoader

    from text2image.encoders.models.local_dir import load_local_dir

    for _ in range(2):
        network, transform, _ = load_local_dir(directory)
        side = transform(Image.open("data/images/0000.jpg")).shape[-1]
        with torch.no_grad():
            network.encode_image(torch.rand(WORKER_BATCH, 3, side, side))

    rows = []
    with torch.no_grad():
        for batch in DataLoader(
            Photographs(transform, count), WORKER_BATCH, num_workers=WORKER_LOADERS, prefetch_factor=2
        ):
            features = network.encode_image(batch)
            features /= features.norm(dim=-1, keepdim=True)
            rows.append(features.to(torch.float16).numpy())
    np.save("worker.npy", np.concatenate(rows))


def bound(directory: Path, count: int, precision: str, started: float) -> None:
    """Print the seconds of start-up, forward pass and decoding, each alone, for ``count`` images."""
    import torch

    from text2image.base.memory import keep_freed_memory
    from text2image.encoders.device import DTYPES
    from text2image.encoders.linear import use_onednn
    from text2image.encoders.models.local_dir import load_local_dir

    network, transform, _ = load_local_dir(directory)
    network = network.to(DTYPES[precision], memory_format=torch.channels_last)
    use_onednn(network)
    start_up = time.time() - started
    keep_freed_memory()
    side = transform(Image.open("data/images/0000.jpg")).shape[-1]
    cores = os.cpu_count() or 1

    def forward(size: int, threads: int) -> float:
        pixels = torch.rand(size, 3, side, side).to(DTYPES[precision])
        pixels = pixels.contiguous(memory_format=torch.channels_last)

        def once(_: int) -> None:
            with torch.inference_mode():
                network.encode_image(pixels)

        return each(once, FORWARD_IMAGES // size, cores // threads, threads) / size

    ways = [forward(8, 1), forward(32, cores), forward(1, 1)]
    decoding = each(lambda number: decode(number, side), DECODED_IMAGES, cores, 1)
    print(json.dumps([start_up, min(ways) * count, decoding * count]))


def each(function: Callable[[int], None], times: int, workers: int, threads: int) -> float:
    """Return the seconds a call of ``function``, ``workers`` at once with so many torch threads each."""
    import torch

    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        list(pool.map(function, range(workers)))
        start = time.perf_counter()
        list(pool.map(function, range(times)))
        return (time.perf_counter() - start) / times


def decode(number: int, side: int) -> None:
    """Decode and resize a photograph with torchvision and torch alone."""
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg, read_file

    pixels = decode_jpeg(read_file(f"data/images/{number:04}.jpg"), mode=ImageReadMode.RGB)
    small = torch.nn.functional.interpolate(pixels[None], size=(side, side), mode="bicubic", antialias=True)
    small.float().div_(255).sub_(0.5).div_(0.25)


def rows(models: Sequence[str] = tuple(COUNTS), rounds: int = ROUNDS) -> Iterator[Row]:
    """Yield the rows of the table, model by model."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root, models, max(COUNTS[name] for name in models))
        for name in models:
            yield from _of_model(root, name, COUNTS[name], rounds)


def _of_model(root: Path, name: str, count: int, rounds: int) -> Iterator[Row]:
    taken: dict[str, list[float]] = {}
    gib: dict[str, float] = {}
    directory = str(root / "data/models" / name)

    def add(what: str, seconds: float, memory: float) -> None:
        taken.setdefault(what, []).append(seconds)
        gib[what] = max(memory, gib.get(what, 0.0))
        print(f"  {name}, {count} images, {what}: {seconds:.1f} s", file=sys.stderr, flush=True)

    others = {"DataLoader loop, fp32": "loader", "clip-retrieval's worker, fp32": "worker"}
    for _ in range(rounds):
        for what, command in others.items():
            done = run(root, "-m", "benchmarks.embedding", command, directory, str(count))
            add(what, done.seconds, done.gib)
        for precision in FASTER:
            arguments = [directory, str(count), precision, str(time.time())]
            done = run(root, "-m", "benchmarks.embedding", "bound", *arguments)
            add(f"bound, {precision}", sum(json.loads(done.printed)), done.gib)
            prepare(root, name, count, precision)
            done = run(root, "-m", "stages.embed_images", name)
            add(f"embed_images, {precision}", done.seconds, done.gib)
    part = f"embedding {count:,} photographs with {name}, process start included"
    (loop, seconds), *rest = ((what, median(all_)) for what, all_ in taken.items())
    base = reference(part, loop, seconds, gib[loop])
    found = {what: against(base, what, seconds, gib[what]) for what, seconds in rest}
    yield base
    yield found["clip-retrieval's worker, fp32"]
    for precision, factor in FASTER.items():
        ours, best = found[f"embed_images, {precision}"], found[f"bound, {precision}"]
        yield ours if name == "builtin" else at_most(ours, 1 / factor)
        share = SHARE_OF_BUILTIN if name == "builtin" else SHARE_OF_BOUND
        yield at_most(against(best, ours.name, ours.seconds, ours.gib), 1 / share)


class Quality(NamedTuple):
    """How well a source's queries find their images, in one precision."""

    source: str
    precision: str
    hit_rate: float
    mrr: float


def quality(name: str = "builtin") -> list[Quality]:
    """Return HitRate@5 and MRR of a model in both precisions on the images and queries of the pipeline."""
    from text2image.artifacts import ARTIFACTS
    from text2image.collection.manifest import read_gallery
    from text2image.encoders.embedding import embed_images, embed_texts
    from text2image.encoders.models.load import load_model
    from text2image.encoders.vectors import load_card
    from text2image.evaluation.ranked import best_rank
    from text2image.formats.trec import read_qrels, read_queries
    from text2image.params import load_params
    from text2image.retrieval.ranking import ranks, score_blocks
    from text2image.retrieval.runs import relevant_pairs

    params, found = load_params(), []
    files = read_gallery(ARTIFACTS.manifest, params.data.images)
    for precision in ("fp32", "bf16"):
        model = load_model(name, load_card(ARTIFACTS.card(name)), "cpu", precision)
        images = np.concatenate([rows for _, rows in embed_images(model, files, params.runtime)])
        for source in params.label.sources:
            texts = read_queries(ARTIFACTS.queries(source))
            qrels = read_qrels(ARTIFACTS.qrels(source))
            asked = [texts[query_id] for query_id in texts if query_id in qrels]
            row_of = {
                text: row
                for batch, rows in embed_texts(model, asked, params.runtime)
                for text, row in zip(batch, rows, strict=True)
            }
            queries = np.stack([row_of[text] for text in asked])
            ids = [query_id for query_id in texts if query_id in qrels]
            pairs = relevant_pairs(ids, [image.image_id for image in files], qrels)
            scores = np.concatenate([block for _, block in score_blocks(queries, images)])
            starts = np.searchsorted(pairs.rows, np.arange(len(ids)))
            best = best_rank(ranks(scores, pairs.rows, pairs.columns), starts)
            found.append(Quality(source, precision, float((best <= 5).mean()), float((1 / best).mean())))
    return found


def main() -> None:
    """Measure and print; ``loader``, ``worker`` and ``bound`` are what it runs as processes of their own."""
    match sys.argv[1:]:
        case ["loader", directory, count]:
            return loader(Path(directory), int(count))
        case ["worker", directory, count]:
            return worker(Path(directory), int(count))
        case ["bound", directory, count, precision, started]:
            return bound(Path(directory), int(count), precision, float(started))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedding")
    parser.add_argument(
        "models", nargs="*", default=list(COUNTS), metavar="MODEL", help=f"of {', '.join(COUNTS)}"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    found = report(rows(options.models, options.rounds))
    for q in sorted(quality()):
        print(f"builtin, {q.source}, {q.precision}: HitRate@5 {q.hit_rate:.4f}, MRR {q.mrr:.4f}")
    return require(found)


if __name__ == "__main__":
    main()
