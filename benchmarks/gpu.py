"""Embedding on a GPU, against the bound and against others' loops: ``python -m benchmarks.gpu [MODEL …]``.

Images a second inside one process, after loading, from JPEG files of 640 × 480 pixels to vectors in the main memory, in one
run: a DataLoader with a process a core, batches of 64 and autocast (CLIP_benchmark's pattern); one with 4 processes and
batches of 256 (clip-retrieval's); this project's with ``embed.decode`` cpu and gpu; and what bounds it, each alone: the
forward pass, reading and decoding on the CPU, decoding on the GPU. Models have random weights, which take the same time as
trained ones.

Then, on fewer images, what is promised: the same bytes in every run and with another number of threads, in every
precision; the first module whose results differ, where they do; going on with half a batch where memory is short; and how
far the vectors of ``decode: gpu`` are from those of the CPU's.

Where there is no GPU it says so and measures nothing; ``--try`` goes through the script on the CPU, with figures that mean
nothing. ``--write`` puts the table into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from benchmarks.embedding import REPOSITORY, photograph
from benchmarks.table import GUIDE, Row, against, reference
from text2image.base.memory import keep_freed_memory
from text2image.base.parallel import in_threads
from text2image.base.settings import Runtime
from text2image.collection.images import image_id
from text2image.collection.manifest import ImageFile
from text2image.encoders.device import DTYPES, one_torch_thread, pick_device
from text2image.encoders.embedding import embed_images, unit_rows
from text2image.encoders.images.forward import Replica, forward_images
from text2image.encoders.images.gpu_decoding import decode_inputs
from text2image.encoders.images.preparing import cut_batches, prepare
from text2image.encoders.images.preprocessing import Preprocessing, preprocessing
from text2image.encoders.models.load import EmbeddingModel
from text2image.params import PARAMS_FILE, load_params

MODELS = ("ViT-B-32", "ViT-B-16-SigLIP", "ViT-L-14")
AT_LEAST = {
    ("ViT-B-32", "cpu"): 3300, ("ViT-B-32", "gpu"): 6000,
    ("ViT-B-16-SigLIP", "cpu"): 3000, ("ViT-B-16-SigLIP", "gpu"): 4200,
}  # fmt: skip
"""Images a second asked for in bf16, by model and ``embed.decode``, on an H100 or H200 with 16 cores."""

OF_BOUND, OF_FORWARD, OF_LOADER = 0.75, 0.85, 2.0
FILES, IMAGES, FEW = 1000, 6000, 1500
BATCHES = (256, 512, 1024)
BEGIN, END = "<!-- gpu: written by `python -m benchmarks.gpu --write` -->", "<!-- /gpu -->"
CORES = os.cpu_count() or 1


class Rate(NamedTuple):
    """A line of the table: images a second, and what was asked of it."""

    model: str
    what: str
    per_second: float
    asked: str = ""
    held: bool = True

    def at_least(self, least: float, what: str) -> Rate:
        """Return the line with the least that it should be."""
        asked = f"{self.asked}, {what}" if self.asked else f"at least {what}"
        return self._replace(asked=asked, held=self.held and self.per_second >= least)


class Bench(NamedTuple):
    """What is measured on: a device, files, and how many of them count."""

    device: torch.device
    files: list[ImageFile]
    images: int

    def many(self, count: int | None = None) -> list[ImageFile]:
        """Return files, each again and again if there are not enough."""
        return list(itertools.islice(itertools.cycle(self.files), count or self.images))


class Photographs:
    """Files through ``transform``: a dataset for a DataLoader."""

    def __init__(self, files: Sequence[ImageFile], transform: Callable[[Image.Image], Any]) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> Any:
        return self.transform(Image.open(str(self.files[number].path)))


def runtime(device: torch.device, **others: Any) -> Runtime:
    """Return the section of params.yaml with a device and what else is to be other."""
    return load_params(REPOSITORY / PARAMS_FILE).runtime.model_copy(update={"device": device.type, **others})


def make_files(folder: Path, count: int) -> list[ImageFile]:
    """Write photographs of some 90 KB each."""
    with ThreadPoolExecutor(CORES) as pool:
        contents = list(pool.map(photograph, range(count)))
    for number, content in enumerate(contents):
        (folder / f"{number}.jpg").write_bytes(content)
    return [ImageFile(image_id(content), folder / f"{n}.jpg") for n, content in enumerate(contents)]


def random_model(name: str, bench: Bench, precision: str, decode: str) -> EmbeddingModel:
    """Return an architecture of open_clip with seeded random weights, in a precision on the device."""
    import open_clip

    torch.manual_seed(0)
    network, _, transform = open_clip.create_model_and_transforms(name)
    network = network.eval().to(bench.device, DTYPES[precision]).requires_grad_(False)
    tokenizer = open_clip.get_tokenizer(name) if bench.images == 0 else None
    key = f"benchmark {name} {precision}"
    return EmbeddingModel(key, network, transform, tokenizer, decode)  # type: ignore[arg-type]


def rate(images: int, work: Callable[[], object], device: torch.device) -> float:
    """Return images a second of ``work``, after once that does not count."""
    work()
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return images / (time.perf_counter() - start)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def embedded(model: EmbeddingModel, images: Sequence[ImageFile], how: Runtime) -> np.ndarray:
    return np.concatenate([rows for _, rows in embed_images(model, images, how)])


def forward_alone(model: EmbeddingModel, bench: Bench) -> float:
    """Return the best rate of the forward pass over some sizes of batches."""
    example = preprocessing(model.transform).example(64, 64)
    best = 0.0
    for size in BATCHES if bench.device.type == "cuda" else (4,):
        pixels = torch.rand(size, *example.shape).to(bench.device, next(model.network.parameters()).dtype)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        times = max(1, 4096 // size) if bench.device.type == "cuda" else 1

        def work(pixels: torch.Tensor = pixels, times: int = times) -> None:
            with torch.inference_mode():
                for _ in range(times):
                    model.network.encode_image(pixels)

        best = max(best, rate(size * times, work, bench.device))
    return best


def decode_alone(ready: Preprocessing, bench: Bench, decode: str) -> float:
    """Return the rate of reading, decoding and resizing, without a network."""
    keep_freed_memory()
    pieces = list(cut_batches(bench.many(), 16))

    def on_cpu() -> None:
        for _ in in_threads(lambda piece: prepare(piece, ready), pieces, None, one_torch_thread):
            pass

    def on_gpu() -> None:
        read = in_threads(lambda piece: prepare(piece, ready, encoded=True), pieces, None, one_torch_thread)
        while parts := list(itertools.islice(read, 16)):
            images = [image for part in parts for image in part.images]
            inputs = [each for part in parts for each in part.inputs]
            decode_inputs(images, inputs, ready, bench.device)

    return rate(bench.images, on_cpu if decode == "cpu" else on_gpu, bench.device)


@contextmanager
def any_kernels() -> Iterator[None]:
    """Let torch take the kernels that it takes for others, who have not asked for steady ones."""
    steady, cudnn = torch.are_deterministic_algorithms_enabled(), torch.backends.cuda.cudnn_sdp_enabled()
    torch.use_deterministic_algorithms(False)
    torch.backends.cuda.enable_cudnn_sdp(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(steady, warn_only=True)
        torch.backends.cuda.enable_cudnn_sdp(cudnn)


def loader(model: EmbeddingModel, bench: Bench, size: int, processes: int) -> float:
    """Return the rate of a DataLoader with a loop in autocast."""
    from torch.utils.data import DataLoader

    network = model.network.float()
    batches = DataLoader(
        Photographs(bench.many(), model.transform),
        size,
        num_workers=processes,
        pin_memory=bench.device.type == "cuda",
    )

    def work() -> None:
        with torch.no_grad(), torch.autocast(bench.device.type, torch.bfloat16):
            for batch in batches:
                rows = network.encode_image(batch.to(bench.device, non_blocking=True))
                torch.nn.functional.normalize(rows, dim=-1).float().cpu().numpy()

    with any_kernels():
        return rate(bench.images, work, bench.device)


def rates(name: str, bench: Bench) -> Iterator[Rate]:
    """Yield the lines of a model in bf16."""
    fp32 = random_model(name, bench, "fp32", "cpu")
    processes = loader(fp32, bench, 64, CORES)
    yield Rate(name, f"DataLoader, {CORES} processes, batches of 64, autocast", processes)
    yield Rate(name, "DataLoader, 4 processes, batches of 256, autocast", loader(fp32, bench, 256, 4))
    model = random_model(name, bench, "bf16", "cpu")
    ready, forward = preprocessing(model.transform), forward_alone(model, bench)
    yield Rate(name, "forward pass alone", forward)
    for decode in ("cpu", "gpu") if bench.device.type == "cuda" else ("cpu",):
        decoding = decode_alone(ready, bench, decode)
        yield Rate(name, f"reading and decoding alone, decode: {decode}", decoding)
        model = model._replace(decode=decode)
        ours = rate(bench.images, partial(embedded, model, bench.many(), runtime(bench.device)), bench.device)
        found, bound = Rate(name, f"embed_images, decode: {decode}", ours), min(forward, decoding)
        found = found.at_least(OF_BOUND * bound, f"{OF_BOUND} of the bound ({bound:,.0f})")
        if least := AT_LEAST.get((name, decode)):
            found = found.at_least(least, f"{least:,}").at_least(
                OF_LOADER * processes, f"{OF_LOADER:g} times the DataLoader"
            )
        elif decode == "gpu":
            found = found.at_least(OF_FORWARD * forward, f"{OF_FORWARD} of the forward pass")
        yield found


def promises(name: str, bench: Bench, few: int) -> Iterator[tuple[str, bool]]:
    """Yield sentences on what is promised of a model, and whether they hold."""
    images, cuda = bench.many(few), bench.device.type == "cuda"
    by: dict[tuple[str, str], np.ndarray] = {}
    for precision in ("fp32", "bf16", "fp16") if cuda else ("fp32", "bf16"):
        for decode in ("cpu", "gpu") if cuda else ("cpu",):
            model = random_model(name, bench, precision, decode)
            by[precision, decode] = first = embedded(model, images, runtime(bench.device))
            second = embedded(model, images, runtime(bench.device, workers=2))
            other = int((first != second).any(axis=1).sum())
            yield (
                f"{name}, {precision}, decode: {decode}: {other} of {few} rows differ in a second run",
                other == 0,
            )
            if other and (module := first_unsteady(model, bench)):
                yield f"{name}, {precision}: the first module whose results differ is {module}", False
    if cuda:
        cosine = float((by["fp32", "cpu"] * by["fp32", "gpu"]).sum(axis=1).min())
        yield f"{name}: least cosine between decode: cpu and decode: gpu {cosine:.5f}", cosine >= 0.999
        yield short_of_memory(name, bench, images, by["fp32", "cpu"])


def first_unsteady(model: EmbeddingModel, bench: Bench, times: int = 20) -> str:
    """Return the name of the first module whose results differ between passes over the same noise; "" if none does."""
    seen: dict[tuple[str, int], torch.Tensor] = {}
    calls: Counter[str] = Counter()
    unsteady: list[str] = []

    def watch(path: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, given: Any, made: Any) -> None:
            calls[path] += 1  # a module may be called several times in a pass
            call = path, calls[path]
            if isinstance(made, torch.Tensor) and not torch.equal(seen.setdefault(call, made.clone()), made):
                unsteady.append(f"{path} ({type(module).__name__})")

        return hook

    example = preprocessing(model.transform).example(64, 64)
    pixels = torch.rand(
        128 if bench.device.type == "cuda" else 2, *example.shape, generator=torch.Generator().manual_seed(0)
    )
    pixels = pixels.to(bench.device, next(model.network.parameters()).dtype)
    hooks = [
        module.register_forward_hook(watch(path)) for path, module in model.network.named_modules() if path
    ]
    try:
        with torch.inference_mode():
            for _ in range(times):
                calls.clear()
                model.network.encode_image(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return next(iter(unsteady), "")


def short_of_memory(
    name: str, bench: Bench, images: Sequence[ImageFile], expected: np.ndarray
) -> tuple[str, bool]:
    """Say whether a run goes on where the card's memory suffices for a part of a batch alone."""
    model = random_model(name, bench, "fp32", "cpu")
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(bench.device).total_memory
    enough = torch.cuda.memory_reserved(bench.device) + (400 << 20)
    torch.cuda.set_per_process_memory_fraction(min(1.0, enough / total), bench.device)
    replica, said = Replica(model.network.encode_image, bench.device), io.StringIO()
    try:
        with redirect_stderr(
            said
        ):  # past the choice of a size that fits, as when others take memory meanwhile
            made = forward_images(images, preprocessing(model.transform), [replica], batch_size=1024)
            rows = np.concatenate([unit_rows(features) for _, features in made])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, bench.device)
    apart, halved = float(np.abs(rows - expected).max()), said.getvalue().count("out of memory with")
    return (
        f"{name}: within {enough >> 20} MiB of memory it halved the batch {halved} times; largest difference {apart:.1g}",
        apart < 1e-3 and halved > 0,
    )


def rows() -> Iterator[Row]:
    """Yield the rows of `make bench`; none, and a word, where there is no GPU of NVIDIA's."""
    if not torch.cuda.is_available():
        print("gpu: no GPU of NVIDIA's here: nothing is measured", file=sys.stderr, flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pick_device("cuda"), make_files(Path(folder), FILES), IMAGES)
        for name in MODELS:
            part = (
                f"embedding {IMAGES:,} photographs with {name} in bf16 on an {torch.cuda.get_device_name()}"
            )
            first: Row | None = None
            for line in rates(name, bench):
                seconds = bench.images / line.per_second
                first = first or reference(part, line.what, seconds)
                yield against(first, line.what, seconds)._replace(asked=line.asked, held=line.held)


def table(lines: Sequence[Rate], told: Sequence[tuple[str, bool]], card: str) -> str:
    """Return what was found as Markdown."""
    head = [f"{card}, {CORES} cores, torch {torch.__version__}; images a second in bf16:", ""]
    rows = ["| model | what | images/s | asked for |", "| --- | --- | ---: | --- |"]
    rows += [
        f"| {line.model} | {line.what} | {line.per_second:,.0f} | {line.asked}{'' if line.held else ' (missed)'} |"
        for line in lines
    ]
    return "\n".join(
        [*head, *rows, "", *(f"- {sentence}{'' if held else ' (missed)'}" for sentence, held in told)]
    )


def write_guide(text: str) -> None:
    before, rest = GUIDE.read_text(encoding="utf-8").split(BEGIN)
    GUIDE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and end with an error if something asked for was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("models", nargs="*", default=list(MODELS), metavar="MODEL")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--try", dest="trial", action="store_true", help="go through the script on the CPU")
    parser.add_argument("--write", action="store_true", help=f"put the table into {GUIDE.name}")
    options = parser.parse_args(argv)
    if not torch.cuda.is_available() and not options.trial:
        print("no GPU of NVIDIA's here: nothing is measured")
        return
    device = pick_device("cpu" if options.trial else "cuda")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder  # choices of batches are made anew
        bench = Bench(device, make_files(Path(folder), min(FILES, options.images)), options.images)
        lines, told = list[Rate](), list[tuple[str, bool]]()
        for name in options.models:
            for line in rates(name, bench):
                print(f"{line.model}, {line.what}: {line.per_second:,.0f} images/s", flush=True)
                lines.append(line)
            for sentence, held in promises(name, bench, min(FEW, options.images)):
                print(f"{sentence}{'' if held else ' (missed)'}", flush=True)
                told.append((sentence, held))
    card = torch.cuda.get_device_name() if device.type == "cuda" else "CPU, a trial that says nothing"
    print(text := table(lines, told, card))
    if options.write:
        write_guide(text)
    if missed := [line.what for line in lines if not line.held] + [s for s, held in told if not held]:
        sys.exit(f"missed what is asked for: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
