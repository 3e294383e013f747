"""What is weak about the queries of a label source as a test: few, mostly fragments, or mostly too generic to ask."""

import math
from collections.abc import Sequence
from typing import Any

from text2image.queries.generic import is_fragment, languages

FEW_CLUSTERS = 25
"""With fewer independent groups of queries, the interval of a hit rate near 0.5 is wider than 0.2 to either side."""

MOST = 0.5  # share of the queries
EXAMPLES = 2


def query_findings(texts: Sequence[str], generic: Sequence[str], n_clusters: int) -> dict[str, Any]:
    """Return what is known of the queries of a source, and under ``findings`` what is weak about them, a sentence each.

    Args:
        texts: the queries that are asked.
        generic: texts that are left out, since they could mean any image.
        n_clusters: how many independent groups of queries are asked.
    """
    spoken = languages([*texts, *generic])
    fragments = [text for text in texts if is_fragment(text, spoken)]
    n_texts = len(texts) + len(generic)
    findings = []
    if n_clusters < FEW_CLUSTERS:
        wide = 1.0 / math.sqrt(max(1, n_clusters))
        findings.append(
            f"{_counted(len(texts), 'query', 'queries')} about {_counted(n_clusters, 'independent group', 'independent groups')} "
            f"of images are few: a hit rate near 0.5 is known to ± {min(0.5, wide):.2f}"
        )
    if len(fragments) > MOST * len(texts):
        findings.append(
            f"{len(fragments):,} of {len(texts):,} queries are fragments, such as {_examples(fragments)}: web addresses, "
            "figures, or one word beside articles and the like"
        )
    if len(generic) > MOST * n_texts:
        findings.append(
            f"{len(generic):,} of {n_texts:,} texts are too generic to search for, such as {_examples(generic)}"
        )
    return {
        "n_queries": len(texts),
        "n_clusters": n_clusters,
        "n_fragments": len(fragments),
        "n_generic": len(generic),
        "findings": findings,
    }


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _examples(texts: Sequence[str]) -> str:
    return " and ".join(f"\u201c{text}\u201d" for text in texts[:EXAMPLES])
