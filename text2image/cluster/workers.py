"""What workers of a cluster compute: embeddings and labels, by the same functions as on one machine."""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from text2image.base.console import InputError
from text2image.base.settings import Runtime, Section
from text2image.cluster.actor import Work
from text2image.cluster.pipeline import map_images
from text2image.collection.manifest import ImageFile
from text2image.encoders.models.towers import import_for
from text2image.encoders.settings import LOCAL_DIR, Model, checkpoint_directory
from text2image.formats.origins import Origins
from text2image.labels.protocol.answers import all_determinants
from text2image.labels.protocol.source import (
    Answer,
    Ask,
    ComputedSource,
    ImageAnswer,
    Label,
    NoLabel,
    load_source,
    local_model,
)

EMBEDDING_TASK = 64, 512  # images at most, on CPUs and on GPUs


def embed_on_cluster(
    name: str,
    card: dict[str, Any],
    precision: str,
    decode: str,
    runtime: Runtime,
    images: Sequence[ImageFile],
) -> Iterator[list[tuple[str, bytes]]]:
    """Yield ``[(key, row), …]``, rows as the store keeps them, in any order."""
    start = partial(embedder, name, card | {"name": shared(card["name"])}, precision, decode)
    yield from map_images(start, images, runtime, EMBEDDING_TASK)


def embedder(name: str, card: dict[str, Any], precision: str, decode: str, runtime: Runtime) -> Work:
    """Load an embedding model on a worker, as ``embed.precision`` and ``embed.decode`` say.

    Raises:
        InputError: the model is not there, or its files are not those of the card.
    """
    import_for(card["name"])
    from text2image.encoders.embedding import embed_images
    from text2image.encoders.models.card import describe
    from text2image.encoders.models.load import load_model

    entry = Model(**{key: card[key] for key in Model.model_fields if key in card})
    if describe(name, entry)["files"] != card["files"]:
        raise InputError(
            f"expected the files of model '{name}' as data/models/{name}.json lists them, found others; give every "
            "machine of the cluster the same"
        )
    model = load_model(name, card, runtime.device, precision, decode, images_only=True)

    def work(images: Sequence[ImageFile]) -> Iterator[tuple[str, bytes]]:
        for batch, rows in embed_images(model, images, runtime):
            yield from zip((image.key for image in batch), (row.tobytes() for row in rows), strict=True)

    return work


class SourceOnCluster(ComputedSource):
    """A label source whose model is loaded on every machine of the cluster."""

    def __init__(self, name: str, source: ComputedSource) -> None:
        super().__init__(shared_settings(source.settings))
        self._name, self._source = name, source
        self.preprocessing, self.task_size = source.preprocessing, source.task_size

    def fetch(self) -> None:
        self._source.fetch()

    def determinants(self) -> dict[str, Any]:
        return self._determinants

    @cached_property
    def _determinants(self) -> dict[str, Any]:
        """Hash the model's files once, after :meth:`fetch`."""
        return self._source.determinants()

    def present_determinants(self) -> dict[str, Any]:
        """Return what was there at first: workers compare what they load."""
        return self._determinants

    def origins(self) -> Origins:
        return self._source.origins()

    def is_current(self, answer: Answer) -> bool:
        return self._source.is_current(answer)

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        return self._source.read(image_id, answer)

    def count_words(self, answer: Answer) -> int | None:
        return self._source.count_words(answer)

    def load(self, runtime: Runtime) -> Ask:
        """Return what sends images to the workers; each loads the model with the first that it gets."""
        start = partial(labeller, self._name, self.settings, all_determinants(self))
        if self.task_size[1] is None:  # its workers claim no GPU, so they must not use one
            runtime = runtime.model_copy(update={"device": "cpu"})

        def ask(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
            for chunk in map_images(start, images, runtime, self.task_size):
                for key, answer in chunk:
                    yield key, json.loads(answer)

        return ask


def labeller(name: str, settings: Section, determinants: dict[str, Any], runtime: Runtime) -> Work:
    """Load a label source's model on a worker.

    Raises:
        InputError: the model is not there, or is not the one that answers are stored under.
    """
    source = load_source(name, settings)
    if not isinstance(source, ComputedSource):
        raise TypeError(f"expected a source that computes, found '{name}'")
    source.fetch()
    here = all_determinants(source)
    others = sorted(key for key in here.keys() | determinants if here.get(key) != determinants.get(key))
    if others:
        raise InputError(
            f"expected what answers of label.{name} (params.yaml) depend on to be the same on every machine of the "
            f"cluster, found other values of {', '.join(others)}; install the same packages and models everywhere"
        )
    ask = source.load(runtime)
    source.check_unchanged()

    def work(images: Sequence[ImageFile]) -> Iterator[tuple[str, bytes]]:
        for key, answer in ask(images):
            yield key, json.dumps(answer).encode()

    return work


def shared(name: str) -> str:
    """Return a model's name; a ``local-dir:`` with the path that every machine uses."""
    directory = checkpoint_directory(name)
    return name if directory is None else f"{LOCAL_DIR}{directory.absolute()}"


def shared_settings(settings: Section) -> Section:
    """Return a source's settings in which a model that is a folder or file has the path that every machine uses."""
    path = local_model(settings)
    if path is None:
        return settings
    named = settings.model  # type: ignore[attr-defined]
    return settings.model_copy(
        update={"model": shared(named) if checkpoint_directory(named) else str(path.absolute())}
    )
