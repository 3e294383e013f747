"""Stage ``retrieve@SYSTEM-SOURCE``: rank the images that are searched for every query that is asked.

``python -m stages.retrieve SYSTEM SOURCE`` writes the first ``retrieve.depth`` images of each ranking as a TREC run, a table
with the exact rank of every relevant image and of the best irrelevant one, from which all measures follow, why the
first images are where they are, and how the systems of a fusion are weighted.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.arrays import Vectors
from text2image.base.console import progress, say
from text2image.collection.manifest import ImageFile, read_gallery
from text2image.formats.fields import FieldText, read_fields, texts_of_images
from text2image.formats.files import atomic_write, write_json
from text2image.formats.searched import read_searched
from text2image.formats.tables import write_csv
from text2image.formats.trec import read_qrels, read_queries
from text2image.formats.views import ImageVectors, read_image_vectors
from text2image.params import Params
from text2image.queries.asked import read_clusters
from text2image.retrieval.gallery import Ranking
from text2image.retrieval.runs import (
    RankRow,
    asked_queries,
    explained_images,
    rank_queries,
    relevant_pairs,
)
from text2image.retrieval.systems.build import build, rank_system
from text2image.retrieval.systems.fusion import Weighting, measure_units, same_weights, weighting_json
from text2image.retrieval.systems.meaning import MeaningIndex
from text2image.retrieval.systems.readers import Readers
from text2image.retrieval.systems.rerank import Grade, Pairs
from text2image.retrieval.systems.scorer import Scorer, Why, WhyRow, why_json
from text2image.retrieval.systems.settings import Fusion, Meaning, Rerank
from text2image.retrieval.systems.tuning import tune
from text2image.retrieval.systems.words.search import Match, WordIndex

WEIGHT_DIGITS = 25
"""Of weights and units that searches read: with fewer their scores would not be those of the runs."""


class SourceInputs:
    """What a system reads to answer the queries of one source that are asked."""

    def __init__(self, params: Params, system: str, source: str) -> None:
        self.params, self.system, self.source = params, system, source
        self.qrels, self.searched = read_qrels(ARTIFACTS.qrels(source)), read_searched(ARTIFACTS.searched)
        self._all = read_queries(ARTIFACTS.queries(source))
        self.asked = {query_id: text for query_id, text in self._all.items() if query_id in self.qrels}
        self.queries, self.image_ids = list(self.asked.values()), self.searched.image_ids
        self.pairs = relevant_pairs(self.asked, self.image_ids, self.qrels)
        self.weights: dict[str, dict[str, Any]] = {}

    def query_vectors(self, model: str) -> Vectors:
        """Return the vectors of the queries that are asked."""
        return asked_queries(self._all, self.qrels, np.load(ARTIFACTS.query_vectors(model, self.source)))[1]

    def image_vectors(self, model: str) -> ImageVectors:
        """Return the vectors of the images that are searched."""
        gallery = read_image_vectors(ARTIFACTS.image_vectors(model), ARTIFACTS.views(model))
        return gallery.select(self.searched.rows)

    def texts(self, field: str) -> list[list[FieldText]]:
        """Return the texts of the images that are searched."""
        return texts_of_images(read_fields(ARTIFACTS.field(field)), self.image_ids)

    def word_index(self, fields: Sequence[str], match: Match) -> WordIndex:
        """Return the index of the texts of the images that are searched."""
        return WordIndex({field: self.texts(field) for field in fields}, match)

    def weighting(self, name: str, fusion: Fusion, parts: Sequence[Scorer]) -> Weighting:
        """Return given weights, or choose them on these queries, each query's without its own cluster."""
        threads, query_ids = self.params.runtime.workers, list(self.asked)
        if fusion.weights != "tuned":
            weights = same_weights(fusion.weights, fusion.of, len(query_ids))
            units = measure_units(parts, fusion.method, threads)
            self.weights[name] = weighting_json(fusion.of, weights[0], units)
            return Weighting(weights, units)
        cluster_of = read_clusters(ARTIFACTS.clusters(self.source))
        clusters = np.array([cluster_of[query_id] for query_id in query_ids], dtype=np.int64)
        rows, columns, _ = self.pairs
        tuning = tune(
            fusion.of, parts, query_ids, rows, columns, clusters, method=fusion.method, threads=threads
        )
        self.weights[name] = tuning.as_json(clusters)
        if tuning.why_equal:
            say(f"retrieve {name} {self.source}: {tuning.why_equal}")
        return tuning.weighting()

    def query_meanings(self, name: str, system: Meaning) -> Vectors:
        """Return the vectors of the queries by a system's text encoder."""
        return self._readers().encode(name, system, self.queries, "query")

    def meaning_index(self, name: str, system: Meaning) -> MeaningIndex:
        """Return the vectors of the images' texts by the same encoder."""
        return self._readers().meaning_index(name, system, self.texts)

    def second_look(self, name: str, system: Rerank) -> Callable[[Pairs], Sequence[Grade]]:
        """Return what grades pairs of the queries that are asked and the images that are searched."""
        title = f"rerank {name} {self.source}"
        return self._readers().second_look(name, system, title, self.queries, self._images, self.texts)

    def _readers(self) -> Readers:
        params = self.params
        about = json.loads(ARTIFACTS.system_inputs(self.system, self.source).read_text("utf-8"))
        return Readers(
            about["system"]["text_models"],
            params.embed.precision,
            params.runtime,
            params.label.openai,
            params.judge.prompt,
        )

    def _images(self) -> list[ImageFile]:
        files = {image.image_id: image for image in read_gallery(ARTIFACTS.manifest, self.params.data.images)}
        return [files[image_id] for image_id in self.image_ids]


def explain(scorer: Scorer, inputs: SourceInputs, ranking: Ranking) -> Iterator[WhyRow]:
    """Yield why images are where they are for a block of queries, where the system can say it."""
    query_ids = list(inputs.asked)
    for query in range(ranking.queries.start, ranking.queries.stop):
        columns = explained_images(ranking, inputs.pairs, query)
        for column, why in zip(columns, scorer.explain(query, columns), strict=True):
            if why != Why():
                yield WhyRow(query_ids[query], inputs.image_ids[column], why_json(why))


def main(params: Params, system: str, source: str) -> None:
    inputs = SourceInputs(params, system, source)
    ranks: list[RankRow] = []
    reasons: list[WhyRow] = []
    with (
        atomic_write(ARTIFACTS.run(system, source)) as temporary,
        temporary.open("w", encoding="utf-8") as out,
        progress(total=len(inputs.asked), unit="query", title=f"retrieve {system} {source}") as bar,
    ):
        if inputs.asked:  # of a source that is left out, nothing is: its vectors have no dimension
            scorer, pairs = build(system, params.used, inputs), inputs.pairs
            depth, threads = params.retrieve.depth, params.runtime.workers
            for ranking in rank_system(scorer, pairs.rows, pairs.columns, depth, threads=threads):
                for lines, rows in rank_queries(system, inputs.asked, inputs.image_ids, pairs, [ranking]):
                    out.writelines(lines)
                    ranks.extend(rows)
                reasons.extend(explain(scorer, inputs, ranking))
                bar.update(ranking.queries.stop - ranking.queries.start)
    write_csv(ARTIFACTS.ranks(system, source), RankRow._fields, ranks)
    write_csv(ARTIFACTS.why(system, source), WhyRow._fields, reasons)
    own = inputs.weights.pop(system, {})
    weights = own | ({"parts": inputs.weights} if inputs.weights else {})
    write_json(ARTIFACTS.weights(system, source), weights, WEIGHT_DIGITS)


if __name__ == "__main__":
    run(main, "system", "source")
