"""What a system is made of, as data/systems/SYSTEM.json says it: all that determines its scores besides the images."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from text2image.formats.origins import Origins
from text2image.retrieval.systems.settings import Systems, parts_of

SUMMED = ("parameters", "weight_bytes", "dimension")
"""What the sizes of a system's models add up to."""


def describe_system(
    name: str,
    systems: Systems,
    cards: Mapping[str, Mapping[str, Any]],
    field_origins: Mapping[str, Origins],
    services: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what a system is made of.

    ``kind``, ``settings`` (without a budget, which changes no score) and ``parts`` (the same of each part, by name, that is
    no model alone) say how it scores; ``models`` and ``fields`` what it reads; ``text_models`` the cards of the models that read texts for it, by name; ``service`` what determines the
    grades of a paid vision model, where it asks one; ``origins`` what it goes back to
    (:mod:`text2image.formats.origins`); ``size`` what its models add up to, as far as it is known of all of them.

    Args:
        name: of the system.
        systems: those that may be used.
        cards: of ``embed.models``, and of the models that read texts.
        field_origins: what wrote the texts of each field.
        services: for each system that asks one, what determines its grades, and ``origins`` of its own.
    """
    system, models, fields = systems[name], systems.models(name), systems.fields(name)
    text_models = {model: cards[model] for model in systems.text_models(name)}
    known = (
        *(cards[model]["origins"] for model in (*models, *text_models)),
        *(field_origins[field] for field in fields),
        *(services[part]["origins"] for part in systems.paid(name)),
    )
    parts = [part for part in parts_of(system) if part not in models]
    return {
        "kind": system.kind,
        "settings": system.model_dump(exclude={"kind", "budget_usd"}),
        "parts": {part: describe_system(part, systems, cards, field_origins, services) for part in parts},
        "models": models,
        "fields": fields,
        "text_models": text_models,
        "service": services[name]["determinants"] if name in services else None,
        "origins": {identity: called for one in known for identity, called in one.items()},
        "size": _summed([cards[model]["size"] for model in dict.fromkeys([*models, *text_models])]),
    }


def _summed(sizes: list[dict[str, int]]) -> dict[str, int]:
    """Return what sizes add up to, as far as it is known of all of them."""
    return {key: sum(size[key] for size in sizes) for key in SUMMED if all(key in size for size in sizes)}
