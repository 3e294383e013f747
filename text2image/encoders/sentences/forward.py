"""Texts and pairs of texts through a sentence-transformers model; the same bits whatever is computed beside them.

On a CPU, each goes through the network alone. On an accelerator, what has the same number of tokens goes together, in
batches of one size: kernels may round differently for another shape, and padding would change the shape.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch

from text2image.base.console import InputError, one_line
from text2image.base.imports import fast_imports
from text2image.base.parallel import in_threads
from text2image.base.settings import Runtime
from text2image.base.store import fingerprint
from text2image.encoders.device import one_torch_thread, pick_device
from text2image.encoders.sentences.card import check_unchanged, find_folder
from text2image.encoders.vectors import Card

CPU_BATCH, ACCELERATOR_BATCH = 1, 32
COUNTED = 1000  # texts whose tokens are counted at once
PROBE = ("a red shoe", "two small dogs")

Kind = Literal["SentenceTransformer", "CrossEncoder"]
Item = TypeVar("Item", str, tuple[str, str])


class SentenceModel(NamedTuple):
    """A loaded model, and the lock of its tokenizer, which no two threads can use at once."""

    network: Any
    lock: threading.Lock


def load_sentence_model(kind: Kind, card: Card, key: str, runtime: Runtime) -> SentenceModel:
    """Load the model of a card once, in the precision that it was saved in, without the network and without foreign code.

    Args:
        kind: the class of sentence-transformers.
        card: by :func:`text2image.encoders.sentences.card.describe_sentence_model`.
        key: the params key that names the model, for messages.
        runtime: whose ``device`` computes.

    Raises:
        InputError: the package is missing, the model is not what the card says any more, cannot be loaded or lacks
            weights, or a cross-encoder gives not one score a pair.
    """
    device, files = str(pick_device(runtime.device)), fingerprint(card["files"])
    if (kind, files, device) not in _LOADED:
        folder, _ = find_folder(card["name"], key, revision=card["revision"])
        check_unchanged(folder, card, key)
        _LOADED.clear()  # one at a time is kept: large ones fill the memory
        loaded = _load(kind, folder, device, card, key)
        check_unchanged(folder, card, key)  # again: they may have been overwritten while they were read
        _LOADED[kind, files, device] = SentenceModel(loaded, threading.Lock())
    return _LOADED[kind, files, device]


_LOADED: dict[tuple[Kind, str, str], SentenceModel] = {}


def _load(kind: Kind, folder: Path, device: str, card: Card, key: str) -> Any:
    make = _class(kind, key)
    load = partial(make, str(folder), device=device, local_files_only=True, trust_remote_code=False)
    expected = (
        f"expected a {kind} of sentence-transformers for {key} in params.yaml, found that '{card['name']}'"
    )
    try:
        model, is_whole = _load_twice(load)
    except Exception as error:  # of sentence-transformers, transformers and torch
        raise InputError(f"{expected} cannot be loaded ({one_line(error) or type(error).__name__})") from None
    if kind == "CrossEncoder" and model.num_labels != 1:
        raise InputError(
            f"{expected} gives a pair {model.num_labels} scores and not one: it is a classifier, which orders nothing"
        )
    if not is_whole:
        raise InputError(
            f"{expected} lacks weights, in whose place random ones would be: it is another kind of model"
        )
    return model


def _class(kind: Kind, key: str) -> Any:
    """Return a class of sentence-transformers, and have what loads models narrate nothing."""
    try:
        with fast_imports():
            import sentence_transformers
    except ImportError:
        raise InputError(
            f"expected the package sentence-transformers for {key} in params.yaml, found none; run "
            "pip install 'text2image-retrieval[rerank]', or in this repository: pip install -e '.[rerank]'"
        ) from None
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return getattr(sentence_transformers, kind)


def _load_twice(load: Callable[[], Any]) -> tuple[Any, bool]:
    """Return a model, and whether its output is that of its weights alone.

    Layers whose weights a folder lacks are made with random ones, without an error: a second model with others would
    say something else. (Layers that go unused may be missing, as they often are.)
    """
    outputs = []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 2):
            torch.manual_seed(seed)
            model = load().eval().requires_grad_(False)
            outputs.append(_output(model))
    return model, bool(np.allclose(outputs[0], outputs[1], rtol=1e-3, atol=1e-5, equal_nan=True))


def _output(model: Any) -> Any:
    if hasattr(model, "predict"):
        return model.predict([PROBE], show_progress_bar=False, activation_fn=torch.nn.Identity())
    return model.encode(list(PROBE), show_progress_bar=False)


def forward_texts(
    model: SentenceModel, items: Sequence[Item], output: str, runtime: Runtime, **options: Any
) -> Iterator[tuple[list[Item], torch.Tensor]]:
    """Yield ``(items, rows)`` batch by batch, those of one token length together: ``(len(items), …)`` of ``output``.

    Args:
        model: by :func:`load_sentence_model`.
        items: texts, or pairs of texts.
        output: which of the network's outputs, as its modules call them.
        runtime: whose ``workers`` threads compute on a CPU.
        options: of ``preprocess``: a ``prompt``, and the ``task`` of a network with several ways.
    """
    network_options = {name: value for name, value in options.items() if name == "task"}
    network, lock = model
    on_cpu = network.device.type == "cpu"
    size = CPU_BATCH if on_cpu else ACCELERATOR_BATCH

    def compute(batch: list[Item]) -> torch.Tensor:
        with lock:
            features = network.preprocess(batch + batch[-1:] * (size - len(batch)), **options)
        moved = {
            name: value.to(network.device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        with torch.inference_mode():
            rows: torch.Tensor = network(moved, **network_options)[output]
        return rows

    batches = _batches(model, items, size, options)
    workers = runtime.workers if on_cpu else 1
    for batch, rows in zip(batches, in_threads(compute, batches, workers, one_torch_thread), strict=True):
        yield batch, rows[: len(batch)]


def _batches(
    model: SentenceModel, items: Sequence[Item], size: int, options: dict[str, Any]
) -> list[list[Item]]:
    """Return items of one token length together, at most ``size`` of them, in an order of their own.

    Models that mask no tokens pad none: to them, all are of one length.
    """
    by_length: dict[int, list[Item]] = defaultdict(list)
    for start in range(0, len(items), COUNTED):
        some = list(items[start : start + COUNTED])
        with model.lock:
            mask = model.network.preprocess(some, **options).get("attention_mask")
        lengths = [0] * len(some) if mask is None else mask.sum(dim=1).tolist()
        for item, length in zip(some, lengths, strict=True):
            by_length[length].append(item)
    return [
        alike[start : start + size]
        for _, alike in sorted(by_length.items())
        for start in range(0, len(alike), size)
    ]
