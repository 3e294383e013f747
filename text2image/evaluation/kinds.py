"""What a system finds by the kind of query, where the texts of a source have kinds (:mod:`text2image.formats.kinds`)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from text2image.evaluation.measures import Measure, per_query
from text2image.evaluation.results import Results
from text2image.evaluation.summary import Resampling, with_intervals
from text2image.formats.kinds import split_kinds


def by_kind(
    results: Results, measures: Sequence[Measure], resampling: Resampling
) -> dict[str, dict[str, Any]]:
    """Return measures of the queries of each kind, with their sizes, 95 % intervals and chance level; {} without kinds.

    A query of several kinds counts in each; one without a kind counts in none. Images are ranked among all that are
    searched, and clusters are those of all queries, so that the kinds differ in their queries alone.
    """
    of_query = [split_kinds(cell) for cell in results.queries["kind"]]
    figures = {}
    for name in sorted({name for names in of_query for name in names}):
        queries = results.ranked.of(np.array([name in names for names in of_query]))
        figures[name] = {
            "n_queries": len(queries.n_relevant),
            "n_clusters": len(np.unique(queries.clusters)),
            **with_intervals(per_query(queries, measures), queries.clusters, resampling),
            "chance": {str(measure): measure.chance(queries) for measure in measures},
        }
    return figures
