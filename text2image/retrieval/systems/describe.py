"""What a system is made of, as data/systems/SYSTEM.json says it: all that determines its scores besides the images."""

from collections.abc import Mapping
from typing import Any

from text2image.formats.origins import Origins
from text2image.retrieval.systems.settings import Systems, Vision, parts_of

SUMMED = ("parameters", "weight_bytes", "dimension")
"""What the sizes of a system's models add up to."""


def describe_system(
    name: str,
    systems: Systems,
    cards: Mapping[str, Mapping[str, Any]],
    field_origins: Mapping[str, Origins],
) -> dict[str, Any]:
    """Return what a system is made of.

    ``kind``, ``settings`` and ``parts`` (the same of each part, by name) say how it scores; ``models`` and ``fields`` what
    it reads; ``origins`` what it goes back to (:mod:`text2image.formats.origins`); ``size`` what its models add up to, as
    far as it is known of all of them.

    Args:
        name: of the system.
        systems: those that may be used.
        cards: what each of ``embed.models`` consists of.
        field_origins: what wrote the texts of each field.
    """
    system, models, fields = systems[name], systems.models(name), systems.fields(name)
    origins: Origins = {}
    for known in (
        *(cards[model]["origins"] for model in models),
        *(field_origins[field] for field in fields),
    ):
        origins |= known
    sizes = [cards[model]["size"] for model in models]
    parts = [part for part in parts_of(system) if not isinstance(systems[part], Vision)]
    return {
        "kind": system.kind,
        "settings": system.model_dump(exclude={"kind"}),
        "parts": {part: describe_system(part, systems, cards, field_origins) for part in parts},
        "models": models,
        "fields": fields,
        "origins": origins,
        "size": {
            key: sum(size[key] for size in sizes) for key in SUMMED if all(key in size for size in sizes)
        },
    }
