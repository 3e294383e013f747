"""What reranking by a system would cost: ``t2i rerank SYSTEM --estimate``. Nothing is asked, and nothing written.

The reranking itself is a stage: ``dvc repro retrieve@SYSTEM-SOURCE``.
"""

from collections.abc import Sequence

from text2image.artifacts import ARTIFACTS, existing
from text2image.base.console import InputError, Parser, one_line
from text2image.collection.manifest import ImageFile, read_gallery
from text2image.formats.searched import read_searched
from text2image.formats.trec import read_qrels, read_queries, read_run
from text2image.lockfile.checks import check_current
from text2image.params import Params, load_params
from text2image.retrieval.systems.settings import OPENAI, Rerank


def main(argv: Sequence[str]) -> None:
    """Print for every source how many pairs of query and image have no grade yet, and about what they would cost."""
    parser = Parser("t2i rerank", description="Say what reranking by a system would cost.")
    parser.add_argument("system", help="one of the kind rerank under systems: in params.yaml")
    parser.add_argument("--estimate", action="store_true", required=True, help="say it, and do nothing else")
    name, params = parser.parse_args(argv).system, load_params()
    system = params.systems.get(name)
    if not isinstance(system, Rerank):
        known = [one for one, other in params.systems.items() if isinstance(other, Rerank)]
        raise InputError(
            f"expected a system of the kind rerank (under systems: in params.yaml: {', '.join(known) or 'none'}), "
            f"found '{one_line(name)}'"
        )
    if system.by != OPENAI:
        print(f"rerank {name}: costs nothing but time")
        return
    images = read_gallery(ARTIFACTS.manifest, params.data.images)
    for source in params.label.sources:
        print(estimate(name, system, source, images, params))


def estimate(name: str, system: Rerank, source: str, images: Sequence[ImageFile], params: Params) -> str:
    """Say what the grades for the queries of a source would cost.

    The pairs are known where the system that is reranked is in use and has been ranked far enough; else they are
    counted as so many first images for each query.
    """
    from text2image.retrieval.systems.vision_grades import VisionGrader, grader_settings

    qrels = read_qrels(existing(ARTIFACTS.qrels(source)))
    texts = {query: text for query, text in read_queries(ARTIFACTS.queries(source)).items() if query in qrels}
    ids, title = read_searched(ARTIFACTS.searched).image_ids, f"rerank {name} {source}"
    run, in_use = ARTIFACTS.run(system.of, source), system.of in params.retrieve.systems
    deep_enough = min(system.depth, len(ids)) <= params.retrieve.depth
    if not (in_use and run.is_file() and deep_enough):
        most = len(texts) * min(system.depth, len(ids))
        ranked = "" if deep_enough else f", with retrieve.depth at least {system.depth}"
        return (
            f"{title}: at most {most:,} pairs of query and image; which, and at what price, is known when "
            f"'{system.of}' is in retrieve.systems and `dvc repro retrieve@{system.of}-{source}` has run{ranked}"
        )
    check_current(run)
    files = {image.image_id: image for image in images}
    row_of, query_of = {one: row for row, one in enumerate(ids)}, {one: row for row, one in enumerate(texts)}
    pairs = [
        (query_of[query], row_of[image])
        for query, ranking in read_run(run, depth=system.depth).items()
        for image, _ in ranking
    ]
    settings = grader_settings(params.label.openai, name, system, params.judge.prompt)
    searched = [files[image_id] for image_id in ids]
    grader = VisionGrader(name, title, settings, params.runtime.openai, list(texts.values()), searched)
    return grader.estimate(pairs)
