"""What of a system answers a query that no source asks: with weights that were tuned before, and a picture by what sees."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from text2image.artifacts import ARTIFACTS, existing
from text2image.base.console import InputError
from text2image.encoders.vectors import load_card
from text2image.formats.origins import Origins, circular_pairs, read_origins
from text2image.lockfile.checks import check_current
from text2image.params import Params
from text2image.retrieval.systems.settings import Fusion, Rerank, System, Systems, Vision

Weights = Mapping[str, Mapping[str, Any]]
"""What data/weights says of each fusion, by its name."""


def circular_with(names: Sequence[str], params: Params) -> dict[tuple[str, str], str]:
    """Return why pairs ``(system, source)`` are circular.

    Raises:
        InputError: a source's origins are damaged.
    """
    return circular_pairs(
        {name: _origins(name, params) for name in names},
        {source: read_origins(existing(ARTIFACTS.origins(source))) for source in params.label.sources},
    )


def _origins(name: str, params: Params) -> Origins:
    """Return what a system goes back to; what a model's card says for one that is not in use by itself."""
    path = ARTIFACTS.system(name) if name in params.retrieve.systems else ARTIFACTS.card(name)
    origins: Origins = load_card(existing(path)).get("origins", {})
    return origins


def chosen_weights(name: str, params: Params) -> Weights:
    """Return how all fusions in a system are weighted, as data/weights has it for all queries of a source.

    The source is the first of ``label.sources`` that is a test of the system, not circular with it, and has weights; only
    where there is none, one that is circular.

    Raises:
        InputError: no source has weights, or they are out of date.
    """
    fusions = [part for part in params.used.needed(name) if isinstance(params.used[part], Fusion)]
    if not fusions:
        return {}
    circular = circular_with([name], params)
    sources = sorted(params.label.sources, key=lambda source: (name, source) in circular)
    for source in sources:
        path = ARTIFACTS.weights(name, source)
        about = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        weightings = {name: about, **about.get("parts", {})}
        if all("units" in weightings.get(part, {}) for part in fusions):
            check_current(path, apart_from=[ARTIFACTS.judgements])
            return {part: weightings[part] for part in fusions}
    raise InputError(
        f"expected weights in {ARTIFACTS.weights(name, sources[0])} or of another source, found none; run `dvc repro`"
    )


def seeing(name: str, params: Params, weights: Weights) -> tuple[Systems, str, list[str]]:
    """Return what of a system answers a picture: systems, the name of the one to build, and what it consists of.

    Vision answers by itself, a fusion by those of its parts that see, and what is to be reranked as it is. Words are not
    compared with pictures.

    Args:
        name: of the system.
        params: of the run.
        weights: of :func:`chosen_weights`.

    Raises:
        InputError: nothing of the system sees pictures.
    """
    replaced: dict[str, System] = {}
    answering = _seeing(name, params.used, weights, replaced)
    if answering is None:
        raise InputError(
            f"expected a text as query of '{name}', which searches in words alone, found a picture; "
            f"ask a system that sees ({', '.join(params.embed.models)})"
        )
    answers = Systems({**params.systems, **replaced}, params.embed.models)
    system = answers[answering]
    return answers, answering, list(system.of) if isinstance(system, Fusion) else [answering]


def _seeing(name: str, systems: Systems, weights: Weights, replaced: dict[str, System]) -> str | None:
    """Return the name of what of a system sees pictures; None for nothing. Fusions of less are put into ``replaced``."""
    system = systems[name]
    if isinstance(system, Vision):
        return name
    if isinstance(system, Rerank):
        return _seeing(system.of, systems, weights, replaced)
    if not isinstance(system, Fusion):
        return None
    parts = {part: seen for part in system.of if (seen := _seeing(part, systems, weights, replaced))}
    if len(parts) < 2:
        return next(iter(parts.values()), None)
    given = weights[name]["weights"]
    left = {seen: given.get(part, 0.0) for part, seen in parts.items()}
    if not any(left.values()):
        left = dict.fromkeys(left, 1.0)  # what cannot answer had all the weight
    replaced[name] = system.model_copy(update={"of": list(left), "weights": left})
    return name
