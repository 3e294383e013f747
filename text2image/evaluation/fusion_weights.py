"""The table of plots/fusion_weights.csv: how good tuned fusions would be with other weights."""

from collections.abc import Container, Mapping
from typing import Any

import pandas as pd

from text2image.evaluation.results import decimals

COLUMNS = ("system", "source", "part", "weight", "mrr", "chosen", "n_folds", "circular")


def fusion_weights(
    tunings: Mapping[tuple[str, str], Mapping[str, Any]], circular: Container[tuple[str, str]]
) -> pd.DataFrame:
    """Return a row a point of each curve of quality against weight; none for systems whose weights are not tuned.

    The columns ``COLUMNS``: the weight of ``part`` in ``system``; the best MRR on all queries of ``source`` with it (of
    the queries that weights are chosen by, so of no use as a figure of the system); 1 if the weights for searching
    have it, else 0; by how many folds it was chosen; and 1 if the pair of system and source is circular.

    Args:
        tunings: data/weights/SYSTEM/SOURCE.json by system and source, without a curve where no weights are tuned.
        circular: pairs of system and source.

    Example:
        >>> tuning = {
        ...     "curve": [{"part": "b", "weight": w, "mrr": w / 2, "chosen": w == 1.0} for w in (0.0, 1.0)],
        ...     "folds": [{"weights": {"a": 0.0, "b": 1.0}}, {"weights": {"a": 1.0, "b": 0.0}}],
        ... }
        >>> print(fusion_weights({("both", "human"): tuning, ("words", "human"): {}}, ()).to_csv(index=False))
        system,source,part,weight,mrr,chosen,n_folds,circular
        both,human,b,0.000000,0.000000,0,1,0
        both,human,b,1.000000,0.500000,1,1,0
        <BLANKLINE>
    """
    rows = []
    for (system, source), tuning in tunings.items():
        marked = {"system": system, "source": source, "circular": int((system, source) in circular)}
        for point in tuning.get("curve", ()):
            of_folds = [fold["weights"][point["part"]] for fold in tuning["folds"]]
            chosen = {"chosen": int(point["chosen"]), "n_folds": of_folds.count(point["weight"])}
            rows.append(marked | point | chosen)
    return pd.DataFrame(rows, columns=list(COLUMNS)).pipe(decimals)
