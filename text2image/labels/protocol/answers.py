"""Answers from the store, and from the source for what the store does not hold."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

from text2image.base.console import progress
from text2image.base.locks import exclusive_lock, waiting_lock
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.base.writer import Writer
from text2image.collection.images import decoding_determinants
from text2image.collection.manifest import ImageFile
from text2image.labels.protocol.source import Answer, ComputedSource, LabelSource, PaidSource, StoredSource

AHEAD = 64
"""Computed answers that may wait to be written, and that a kill may take."""


def store_kind(name: str) -> str:
    """Return the kind of store that holds the answers of a source."""
    return f"labels/{name}"


def collect_answers(
    name: str, source: StoredSource, images: Sequence[ImageFile], runtime: Runtime
) -> dict[str, Answer]:
    """Return ``{image_id: answer}``, asking the source only for what the store does not hold.

    Answers are stored as they come. Images that a source left out are not in the result. A transient failure
    stands for a stored answer that the source asked for anew: that one no longer holds.

    Raises:
        InputError: the store's file is damaged or locked, or does not take answers.
        ValueError: a source that computes answers under something else than a key of these images.
    """
    if isinstance(source, ComputedSource):
        source.fetch()
    paid = isinstance(source, PaidSource)
    with Store(store_kind(name), all_determinants(source), paid=paid) as store, ExitStack() as stack:
        stored = _current_answers(store, source, images)
        missing = any(source.key(image) not in stored for image in images)
        if missing or paid:
            store.check_writable()
            # Two processes would pay twice, which is refused, or compute twice, for which the second waits.
            stack.enter_context((exclusive_lock if paid else waiting_lock)(store.path))
            if missing and paid:
                store.check()
            stored = _current_answers(store, source, images)
        transient = _ask(name, source, images, stored, runtime, store)
        answers = stored | stored_answers(store, source, images) | transient
    return {image.image_id: answers[key] for image in images if (key := source.key(image)) in answers}


def _current_answers(store: Store, source: StoredSource, images: Sequence[ImageFile]) -> dict[str, Answer]:
    """Return the stored answers that still hold."""
    stored = stored_answers(store, source, images)
    if isinstance(source, ComputedSource):
        return {key: answer for key, answer in stored.items() if source.is_current(answer)}
    return stored


def _ask(
    name: str,
    source: StoredSource,
    images: Sequence[ImageFile],
    stored: Mapping[str, Answer],
    runtime: Runtime,
    store: Store,
) -> dict[str, Answer]:
    """Ask a source, store what it answers, and return the transient failures, which are not stored.

    An answer that was paid for is on disk before the next is taken. Computed ones, which may be thousands a second, are
    written beside the computation.
    """
    keys, transient = {source.key(image) for image in images}, dict[str, Answer]()
    with ExitStack() as stack:
        answers = stack.enter_context(closing(source.ask(images, stored, runtime)))
        bar = None
        put: Callable[[list[tuple[str, bytes]]], None] = store.put
        for key, answer in answers:
            if bar is None:
                bar = stack.enter_context(
                    progress(total=len(images), done=len(stored), unit="image", title=f"label {name}")
                )
                if isinstance(source, ComputedSource):
                    put = stack.enter_context(Writer(store, AHEAD)).put
            if isinstance(source, ComputedSource) and key not in keys:
                raise ValueError(f"expected label source '{name}' to answer under image.key, found '{key}'")
            if answer.get("transient"):
                transient[key] = answer
            else:
                put([(key, json.dumps(answer).encode())])
            bar.update(key not in stored)
    return transient


def all_determinants(source: StoredSource) -> dict[str, Any]:
    """Return what the answers of a source are stored under: versions are named from the second on."""
    version = source.preprocessing if isinstance(source, ComputedSource) else 1
    named = {} if version == 1 else {"source_preprocessing": version}
    return source.determinants() | named | decoding_determinants()


def stored_answers(store: Store, source: StoredSource, images: Sequence[ImageFile]) -> dict[str, Answer]:
    """Return ``{key: answer}`` of the answers that the store holds for images (:meth:`StoredSource.key`)."""
    return dict(store.get_json(map(source.key, images), load_answer))


def load_answer(value: bytes) -> Answer:
    """Return a stored answer without the ``raw`` texts that it was read from, which may be large."""
    answer: Answer = json.loads(value)
    answer.pop("raw", None)
    for usage in answer.get("earlier", ()):
        usage.pop("raw", None)
    return answer


def whole_answer(store: Store, key: str, answer: Answer) -> Answer:
    """Return a stored ``answer`` with the ``raw`` texts that it was read from."""
    whole: Answer = dict(store.get_json([key])).get(key, answer)
    return whole


def estimate(name: str, source: LabelSource, images: Sequence[ImageFile]) -> str:
    """Say in a few lines what labelling the images would cost."""
    if not isinstance(source, PaidSource):
        return f"label {name}: costs nothing but time"
    images = images[: source.max_images]
    with Store(store_kind(name), all_determinants(source)) as store:
        return source.estimate(images, stored_answers(store, source, images))
