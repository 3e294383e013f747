"""Measure how fast systems are on this machine, to prepare images and to answer queries: ``t2i throughput [NAME…]``.

Models embed made-up images and texts, the same on every machine, an image with as many views as one of the collection has
on average; sources read some images of the gallery; systems answer
some queries of the pipeline. A measurement, not a result: it differs a little each time, so nothing of the pipeline
depends on it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, Parser, one_line, say
from text2image.collection.manifest import read_gallery
from text2image.encoders.throughput import Speed, read_query_times, read_speeds
from text2image.formats.tables import write_csv
from text2image.labels.protocol.source import load_source
from text2image.params import Params, load_params

Kept = TypeVar("Kept", bound=NamedTuple)


def keep(path: Path, read: Callable[[Path], list[Kept]], new: Sequence[Kept]) -> None:
    """Write measurements into a file, in place of earlier ones of the same name."""
    if new:
        names = {row[0] for row in new}
        others = [row for row in read(path) if row[0] not in names]
        write_csv(path, new[0]._fields, sorted([*others, *new]))


def measure(name: str, params: Params) -> None:
    """Measure and keep what a system or a model takes; models that are not in use embed, and answer no query."""
    from text2image.encoders.models.card import describe  # these take seconds to import
    from text2image.encoders.models.load import load_model
    from text2image.encoders.throughput import measure_speeds, views_per_image, with_views
    from text2image.pages.timing import measure_queries

    models = {}
    for model in params.used.models(name) if name in params.used else [name]:
        card = describe(model, params.models[model])
        models[model] = load_model(model, card, params.runtime.device, params.embed.precision)
        views = views_per_image(ARTIFACTS.manifest, params.models[model].views)
        speeds = with_views(measure_speeds(model, models[model], params.runtime), views)
        keep(ARTIFACTS.throughput, read_speeds, speeds)
        rates = " and ".join(f"{speed.per_second} {speed.what}" for speed in speeds)
        say(f"throughput {model} on {speeds[0].device}: {rates} a second")
    if name not in params.used:
        return
    for field in params.used.fields(name):
        measure_field(field, params)
    time = measure_queries(name, params, models)
    if time is None:
        say(f"throughput {name}: asks another model about each image, and its answers are kept: not measured")
        return
    keep(ARTIFACTS.query_times, read_query_times, [time])
    say(
        f"throughput {name} on {time.device}: a query takes {time.median_ms} ms [{time.high_ms}] in {time.n_images} images, "
        f"about {time.million_ms} ms in a million"
    )


def measure_field(field: str, params: Params) -> None:
    """Measure and keep how fast a source reads images of the gallery."""
    from text2image.pages.timing import measure_reading

    images = read_gallery(ARTIFACTS.manifest, params.data.images)
    speed: Speed | None = measure_reading(
        field, load_source(field, params.label.settings(field)), images, params.runtime
    )
    if speed is None:
        say(f"throughput {field}: asks a service: not measured")
        return
    keep(ARTIFACTS.throughput, read_speeds, [speed])
    say(f"throughput {field} on {speed.device}: {speed.per_second} images a second")


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "t2i throughput",
        description=f"Measure how fast systems are; writes {ARTIFACTS.throughput} and {ARTIFACTS.query_times}.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="of systems: or of models: in params.yaml (default: retrieve.systems)",
    )
    names, params = parser.parse_args(argv).names, load_params()
    for name in names:
        if name not in params.models and name not in params.used:
            raise InputError(
                f"expected names described under systems: or models: in params.yaml, found '{one_line(name)}'"
            )
    for name in names or params.retrieve.systems:
        measure(name, params)
