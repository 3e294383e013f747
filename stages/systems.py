"""Stage ``systems``: say of every system what it is made of, and of every source what it reads there.

A stage that is declared once for all systems cannot depend on the files of one. So ``retrieve@SYSTEM-SOURCE`` depends on
data/systems/SYSTEM/SOURCE.json, which holds the settings of that system and the hashes of what it reads: it runs again
exactly when one of these changed, and another weight, model or system leaves it as it was.
"""

import json
import math
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.encoders.sentences.card import describe_sentence_model
from text2image.encoders.vectors import Card
from text2image.formats.fields import read_fields
from text2image.formats.files import sha256, write_json
from text2image.formats.origins import read_origins
from text2image.formats.views import read_image_vectors
from text2image.params import Params
from text2image.retrieval.systems.describe import describe_system
from text2image.retrieval.systems.settings import Fusion, Systems


def files_of(systems: Systems, name: str, source: str) -> list[Path]:
    """Return the files that a system reads to answer the queries of a source."""
    files = []
    for model in systems.models(name):
        files += [ARTIFACTS.image_vectors(model), ARTIFACTS.views(model)]
        files.append(ARTIFACTS.query_vectors(model, source))
    files += [ARTIFACTS.field(field) for field in systems.fields(name)]
    needed = map(systems.__getitem__, systems.needed(name))
    if any(isinstance(system, Fusion) and system.weights == "tuned" for system in needed):
        files.append(ARTIFACTS.clusters(source))
    return files


def kept_bytes(params: Params) -> dict[Path, float]:
    """Return how many bytes an image has to be kept of it, by file: its vectors in float32, or its texts in UTF-8."""
    vectors = {
        model: read_image_vectors(ARTIFACTS.image_vectors(model), ARTIFACTS.views(model))
        for model in params.embed.models
    }
    n_images = max(1, next(iter(vectors.values())).n_images)
    kept = {
        ARTIFACTS.image_vectors(model): images.vectors.nbytes / n_images for model, images in vectors.items()
    }
    for field in params.retrieve.fields:
        texts = read_fields(ARTIFACTS.field(field))
        kept[ARTIFACTS.field(field)] = sum(len(one.text.encode()) for one in texts) / n_images
    return kept


def describe_text_models(
    systems: Systems, names: Iterable[str], embedding: Container[str]
) -> dict[str, Card]:
    """Return the cards of the sentence-transformers models that systems have read texts; downloads what is not here."""
    keys = {model: key for name in names for model, key in systems.text_models(name).items()}
    return {
        model: describe_sentence_model(model, key) for model, key in keys.items() if model not in embedding
    }


def describe_services(params: Params) -> dict[str, dict[str, Any]]:
    """Return for each system that asks the paid vision model what determines its grades, and what they go back to."""
    paid = {part: one for name in params.retrieve.systems for part, one in params.used.paid(name).items()}
    if not paid:
        return {}
    from text2image.retrieval.systems.vision_grades import describe_service

    openai, prompt = params.label.openai, params.judge.prompt
    return {part: describe_service(openai, part, system, prompt) for part, system in paid.items()}


def main(params: Params) -> None:
    systems = params.used
    cards = {model: json.loads(ARTIFACTS.card(model).read_text("utf-8")) for model in params.embed.models}
    cards |= describe_text_models(systems, params.retrieve.systems, cards)
    services = describe_services(params)
    origins = {field: read_origins(ARTIFACTS.field_origins(field)) for field in params.retrieve.fields}
    hashes, kept = dict[Path, str](), kept_bytes(params)
    for name in params.retrieve.systems:
        about = describe_system(name, systems, cards, origins, services)
        files = [*map(ARTIFACTS.image_vectors, about["models"]), *map(ARTIFACTS.field, about["fields"])]
        about["size"]["bytes_per_image"] = math.ceil(sum(kept[path] for path in files))
        prices = [services[part]["usd_per_1000_queries"] for part in systems.paid(name)]
        usd = None if None in prices else math.fsum(prices)
        write_json(ARTIFACTS.system(name), about | {"usd_per_1000_queries": usd})
        for source in params.label.sources:
            files = files_of(systems, name, source)
            hashes |= {path: sha256(path) for path in files if path not in hashes}
            reads = {path.as_posix(): hashes[path] for path in files}
            write_json(ARTIFACTS.system_inputs(name, source), {"system": about, "files": reads})


if __name__ == "__main__":
    run(main)
