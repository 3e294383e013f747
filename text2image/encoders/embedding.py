"""Images and texts to unit vectors, batch by batch; the same bits whatever is computed beside them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from text2image.base.arrays import Vectors
from text2image.base.console import InputError, say
from text2image.base.parallel import in_threads, thread_count
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.encoders.batches import Probe, pick_batch_size
from text2image.encoders.device import one_torch_thread, pick_devices, replicate
from text2image.encoders.images.forward import ACCELERATOR_BATCH, Replica, forward_images
from text2image.encoders.images.preprocessing import preprocessing
from text2image.encoders.models.load import EmbeddingModel

EXAMPLE = (64, 64)  # pixels
TEXTS = 32  # a batch; its shape is fixed, since kernels may round differently for another


def embed_images(
    model: EmbeddingModel, images: Sequence[ImageFile], runtime: Runtime
) -> Iterator[tuple[Sequence[ImageFile], Vectors]]:
    """Yield ``(images, rows)`` batch by batch, in order: ``(len(images), dim)`` float32 unit rows.

    Raises:
        InputError: a file changed since the catalog was made; what came before and beside it has been yielded.
    """
    if not images:
        return
    devices, ready = image_devices(model, len(images), runtime), preprocessing(model.transform)
    networks = replicate(model.network.to(memory_format=torch.channels_last), devices)
    dtype, workers = next(model.network.parameters()).dtype, thread_count(runtime.workers)
    probe = Probe(networks[0].encode_image, ready.example(*EXAMPLE).to(dtype), devices[0], workers)
    rows = forward_images(
        images,
        ready,
        [Replica(network.encode_image, device) for network, device in zip(networks, devices, strict=True)],
        batch_size=pick_batch_size(probe, model.key, len(images), runtime.batch_size),
        workers=workers,
        dtype=dtype,
        decode=model.decode if ready.resize else "cpu",
    )
    for batch, features in rows:
        yield batch, unit_rows(features)


def image_devices(model: EmbeddingModel, n_images: int, runtime: Runtime) -> list[torch.device]:
    """Return the devices on which a loaded model embeds images: one for few, all of ``runtime.devices`` for many.

    Where a GPU decodes, it is one, too: given files for another GPU than the last time, torchvision makes a new decoder and
    never frees the memory of the one before.

    Raises:
        InputError: they are to decode, and cannot.
    """
    device = next(model.network.parameters()).device
    if model.decode == "gpu" and device.type != "cuda":
        raise InputError(
            "expected a GPU of NVIDIA for embed.decode: gpu in params.yaml, found that this run computes on "
            f"'{device.type}' (runtime.device); set embed.decode: cpu, which makes other vectors"
        )
    if device.type != "cuda" or n_images <= ACCELERATOR_BATCH:
        return [device]
    devices = pick_devices(runtime)
    if model.decode == "gpu" and len(devices) > 1:
        say(
            f"embed.decode: gpu computes on one of the {len(devices)} GPUs of this machine, since torchvision keeps a decoder "
            "for one; embed.decode: cpu computes on all"
        )
        return [device]
    return devices


def embed_texts(
    model: EmbeddingModel, texts: Sequence[str], runtime: Runtime
) -> Iterator[tuple[list[str], Vectors]]:
    """Yield ``(texts, rows)`` batch by batch, texts of one token length together.

    ``rows``: ``(len(texts), dim)`` float32 unit rows.
    """
    device = next(model.network.parameters()).device
    by_length: dict[int, list[str]] = defaultdict(list)
    for text in texts:
        by_length[model.tokenize([text]).shape[1]].append(text)
    batches = [
        alike[start : start + TEXTS]
        for _, alike in sorted(by_length.items())
        for start in range(0, len(alike), TEXTS)
    ]

    def compute(batch: list[str]) -> torch.Tensor:
        tokens = model.tokenize(batch + batch[-1:] * (TEXTS - len(batch)))
        with torch.inference_mode():
            features: torch.Tensor = model.network.encode_text(tokens.to(device))
        return features

    workers = runtime.workers if device.type == "cpu" else 1
    for batch, features in zip(batches, in_threads(compute, batches, workers, one_torch_thread), strict=True):
        yield batch, unit_rows(features)[: len(batch)]


def unit_rows(features: torch.Tensor) -> Vectors:
    """Return ``features``, ``(n, dim)``, as float32 rows of length 1.

    Raises:
        ValueError: a row is zero or not finite, so it has no direction.
    """
    rows = features.float().cpu().numpy().astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
        raise ValueError("expected finite embeddings other than zero, found one that is not")
    unit: Vectors = (rows / lengths).astype(np.float32)
    return unit
