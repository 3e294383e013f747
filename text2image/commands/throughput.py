"""Measure how fast systems are on this machine, to prepare images and to answer queries: ``t2i throughput [NAME…]``.

Models embed made-up images and texts, the same on every machine, an image with as many views as one of the collection has
on average; sources read some images of the gallery; systems answer some queries of the pipeline. A measurement, not a
result: it differs a little each time, so nothing of the pipeline depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, Parser, one_line, say
from text2image.collection.manifest import read_gallery
from text2image.encoders.models.towers import import_for
from text2image.encoders.throughput import (
    measure_speeds,
    read_query_times,
    read_speeds,
    views_per_image,
    with_views,
)
from text2image.formats.tables import write_csv
from text2image.labels.protocol.source import load_source
from text2image.params import Params, load_params

if TYPE_CHECKING:
    from text2image.encoders.models.load import EmbeddingModel

Kept = TypeVar("Kept", bound=NamedTuple)


def keep(path: Path, read: Callable[[Path], list[Kept]], new: Sequence[Kept]) -> None:
    """Write measurements into a file, in place of earlier ones of the same name."""
    if new:
        names = {row[0] for row in new}
        others = [row for row in read(path) if row[0] not in names]
        write_csv(path, new[0]._fields, sorted([*others, *new]))


class Measured:
    """What is measured on this machine, each model, source and system once.

    Args:
        params: of the run.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        self._models: dict[str, EmbeddingModel] = {}
        self._fields: set[str] = set()

    def model(self, name: str) -> EmbeddingModel:
        """Return a model, loaded; measure and keep how fast it embeds when it is first asked for."""
        import_for(self.params.models[name].name)
        from text2image.encoders.models.card import describe  # these take seconds to import
        from text2image.encoders.models.load import load_model

        if name not in self._models:
            card, runtime = describe(name, self.params.models[name]), self.params.runtime
            embed = self.params.embed
            self._models[name] = load_model(name, card, runtime.device, embed.precision, embed.decode)
            views = views_per_image(ARTIFACTS.manifest, self.params.models[name].views)
            speeds = with_views(measure_speeds(name, self._models[name], runtime), views)
            keep(ARTIFACTS.throughput, read_speeds, speeds)
            rates = " and ".join(f"{speed.per_second} {speed.what}" for speed in speeds)
            say(f"throughput {name} on {speeds[0].device}: {rates} a second")
        return self._models[name]

    def field(self, name: str) -> None:
        """Measure and keep how fast a source reads images of the gallery."""
        from text2image.pages.timing import measure_reading

        if name in self._fields:
            return
        self._fields.add(name)
        images = read_gallery(ARTIFACTS.manifest, self.params.data.images)
        source = load_source(name, self.params.label.settings(name))
        speed = measure_reading(name, source, images, self.params.runtime)
        if speed is None:
            say(f"throughput {name}: asks a service: not measured")
            return
        keep(ARTIFACTS.throughput, read_speeds, [speed])
        say(f"throughput {name} on {speed.device}: {speed.per_second} images a second")

    def system(self, name: str) -> None:
        """Measure and keep what a system takes, and all that it is made of."""
        from text2image.pages.timing import measure_queries

        used, embedding = self.params.used, self.params.embed.models
        reading = [model for model in used.text_models(name) if model in embedding]
        models = {model: self.model(model) for model in dict.fromkeys([*used.models(name), *reading])}
        for field in used.fields(name):
            self.field(field)
        time = measure_queries(name, self.params, models)
        if time is None:
            say(
                f"throughput {name}: asks another model about each image, whose answers are kept: not measured"
            )
            return
        keep(ARTIFACTS.query_times, read_query_times, [time])
        say(
            f"throughput {name} on {time.device}: a query takes {time.median_ms} ms (one of 20 more than {time.high_ms}) in "
            f"{time.n_images} images, about {time.million_ms} ms in a million"
        )


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "t2i throughput",
        description=f"Measure how fast systems are; writes {ARTIFACTS.throughput} and {ARTIFACTS.query_times}.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="of retrieve.systems or of models: in params.yaml (default: retrieve.systems)",
    )
    names, params = parser.parse_args(argv).names, load_params()
    in_use = {*params.retrieve.systems, *params.embed.models}
    for name in names:
        if name not in params.models and name not in in_use:
            raise InputError(
                "expected names of retrieve.systems or described under models: in params.yaml, "
                f"found '{one_line(name)}'"
            )
    measured = Measured(params)
    for name in names or params.retrieve.systems:
        if name in in_use:
            measured.system(name)
        else:  # a model that is not in use answers no query
            measured.model(name)
