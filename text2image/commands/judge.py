"""Judge what was found: ``t2i judge SOURCE [--terminal] [--by NAME] [--port N]``.

Not a stage: a person (or a vision model, ``--by openai``) grades the top of every system's ranking and
the images counted as relevant, query by query, on a local page. Grades go to data/judgements.csv at once,
which git tracks; the next ``dvc repro`` counts them. Run it again to go on.
"""

import getpass
import shutil
import subprocess
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from text2image.artifacts import ARTIFACTS, existing
from text2image.base.console import InputError, Parser, one_line, say
from text2image.collection.manifest import read_gallery
from text2image.formats.tables import FINITE, Row, read_csv
from text2image.formats.texts import normalise_text, query_id
from text2image.formats.trec import read_qrels, read_queries, read_run
from text2image.lockfile.checks import check_current
from text2image.params import Params, load_params
from text2image.queries.agreement import judge_agreement
from text2image.queries.asked import read_left_out_sources
from text2image.queries.judgements import JudgementRow, is_person, read_if_any
from text2image.queries.judging.pool import PooledQuery, most_suspicious_first, pool
from text2image.queries.judging.session import Session
from text2image.queries.query import read_label_queries

MODEL = "openai"


def read_pool(source: str, params: Params, gallery_ids: Iterable[str]) -> list[PooledQuery]:
    """Return the pool of a source, queries with the most suspicious labels first.

    Raises:
        InputError: something that it is made from is missing, or of another gallery; or nothing is asked of the source.
    """
    qrels, depth = read_qrels(existing(ARTIFACTS.qrels(source))), params.judge.depth
    rankings = [ARTIFACTS.run(system, source) for system in params.retrieve.systems]
    check_current(ARTIFACTS.qrels(source), *rankings, apart_from=[ARTIFACTS.judgements])
    if not qrels:
        why = read_left_out_sources(existing(ARTIFACTS.left_out_sources)).get(source, "none is asked")
        raise InputError(f"expected queries of '{source}' to judge, found none: {why}")
    texts = read_queries(existing(ARTIFACTS.queries(source)))
    runs = [read_run(existing(path), depth=depth) for path in rankings]
    labelled = {query.query_id: query.relevant for query in read_label_queries(ARTIFACTS.labels(source))}
    asked = {query: text for query, text in texts.items() if query in qrels}
    pooled = pool(asked, [qrels, labelled], runs, depth)
    strangers = {image for query in pooled for image in query.images} - set(gallery_ids)
    if strangers:
        raise InputError(
            f"expected images of data/manifest.csv in data/runs and data/qrels of '{source}', "
            f"found {one_line(min(strangers))}; run `dvc repro`"
        )
    return most_suspicious_first(pooled, read_suspicion(ARTIFACTS.audit(source)))


def read_suspicion(path: Path) -> dict[str, float]:
    """Return ``{query_id: suspicion}`` of an audit's queries, that of the most suspicious label each; {} without one."""
    suspicion: dict[str, float] = {}
    for row in _audited(path):
        query = query_id(normalise_text(row["text"]))
        suspicion[query] = max(suspicion.get(query, 0.0), float(row["suspicion"]))
    return suspicion


def _audited(path: Path) -> list[Row]:
    return read_csv(path, ["text", "suspicion"], numbers={"suspicion": FINITE}) if path.exists() else []


def person(named: str | None) -> str:
    """Return the name under which a person's judgements stand: as given, git's user.name, or the login.

    Raises:
        InputError: a name without visible characters, or one that is kept for models.
    """
    name = normalise_text(named if named is not None else _git_user() or getpass.getuser())
    if not name or not is_person(name):
        raise InputError(
            f"expected the name of a person (--by, params key judge.by), found '{one_line(name)}'"
        )
    return name


def _git_user() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run([git, "config", "user.name"], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()


def summary(source: str, rows: Sequence[JudgementRow]) -> str:
    """Say how many judgements a source has and how far people and models agree."""
    judged = judge_agreement(source, rows)
    people, models, both = judged["by_people"], judged["by_models"], judged["by_both"]
    text = f"judge {source}: {people + models - both} images judged for a query, {people} by people, {models} by models"
    if not both:
        return text
    kappa = judged["kappa_quadratic"]
    agreed = "not defined: one grade throughout" if kappa is None else f"{kappa:.2f}"
    return f"{text}; agreement on the {both} judged by both (Cohen's kappa, quadratic weights): {agreed}"


def arguments(argv: Sequence[str]) -> Namespace:
    """Read the command line."""
    parser = Parser("t2i judge", description="Grade what was found for the queries of a source.")
    parser.add_argument("source", help="one of label.sources in params.yaml")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--page", action="store_true", help="judge on a local web page (the default)")
    way.add_argument("--terminal", action="store_true", help="judge in the terminal")
    parser.add_argument(
        "--by", help=f"your name, or {MODEL} for the vision model (default: judge.by, then git's user.name)"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="where the page listens, and the name it answers to; others than the default let the network judge",
    )
    parser.add_argument("--port", type=int, default=0, help="port of the page (default: any that is free)")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    options, params = arguments(argv), load_params()
    if options.source not in params.label.sources:
        raise InputError(
            f"expected one of {', '.join(params.label.sources)} (params key label.sources), "
            f"found '{one_line(options.source)}'"
        )
    files = {image.image_id: image for image in read_gallery(ARTIFACTS.manifest, params.data.images)}
    pooled = read_pool(options.source, params, files)
    named = options.by if options.by is not None else params.judge.by
    if named == MODEL:
        from text2image.queries.judging.model import judge_by_model, judge_settings, model_judge

        settings = judge_settings(params.label.openai, params.judge.prompt, params.judge.budget_usd)
        session = Session(options.source, model_judge(settings), pooled, ARTIFACTS.judgements)
        judge_by_model(session, files, settings, params.runtime.openai)
    else:
        from text2image.pages.judge.page import judge_on_page
        from text2image.pages.judge.terminal import judge_in_terminal

        session = Session(options.source, person(named), pooled, ARTIFACTS.judgements)
        if options.terminal:
            judge_in_terminal(session, files)
        else:
            judge_on_page(session, files, options.host, options.port)
    say(summary(options.source, read_if_any(ARTIFACTS.judgements)))
