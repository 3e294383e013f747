"""What the queries of each label source are worth as a test of systems, and whether the sources agree on an order."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from text2image.evaluation.results import AllResults
from text2image.evaluation.statistics.correlation import rank_correlations
from text2image.evaluation.summary import Resampling
from text2image.formats.origins import Origins, text_origins
from text2image.formats.tables import Row
from text2image.queries.findings import query_findings
from text2image.queries.relevance import GENERIC


def judge_sources(
    results: AllResults,
    left_out: Mapping[str, Sequence[Row]],
    origins: Mapping[str, Origins],
    circular: Container[tuple[str, str]],
    resampling: Resampling,
) -> tuple[dict[str, Any], list[str]]:
    """Return metrics/sources.json and what people are told of it.

    Under ``sources`` stand the findings on the queries of each, and what wrote them (``written_by``; empty for people);
    under ``rank_correlation`` how alike each pair of sources orders the systems.

    Args:
        results: ``{(system, source): results}``.
        left_out: the queries of each source that are not asked: rows with ``text`` and ``reason``.
        origins: of the texts of each source.
        circular: the pairs ``(system, source)`` that say nothing of the order.
        resampling: of the intervals.
    """
    about: dict[str, dict[str, Any]] = {}
    for source, one in {source: one for (_, source), one in results.items()}.items():
        generic = [row["text"] for row in left_out[source] if row["reason"] == GENERIC]
        n_clusters = len(np.unique(one.ranked.clusters))
        found = query_findings(one.queries["text"].tolist(), generic, n_clusters)
        about[source] = {"written_by": authors(origins[source], source)} | found
    tested = {key: one for key, one in results.items() if key not in circular}
    correlations = rank_correlations(tested, resampling)
    said = [
        f"{source} is a weak test: {finding}" for source, row in about.items() for finding in row["findings"]
    ]
    return {"sources": about, "rank_correlation": correlations}, [
        *said,
        *(row["summary"] for row in correlations.values()),
    ]


def authors(origins: Origins, source: str) -> list[str]:
    """Return what people call that which wrote the texts of a source; nothing where people did.

    >>> authors({"labels:ocr": "the texts of ocr", "sha256:ab": "rapidocr", "sha256:cd": "rapidocr"}, "ocr")
    ['rapidocr']
    """
    others = {
        identity: called for identity, called in origins.items() if identity not in text_origins(source)
    }
    return list(dict.fromkeys(others.values()))
