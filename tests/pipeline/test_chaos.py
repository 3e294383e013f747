"""Runs that are killed, at random moments and while DVC writes its own files: `make repro` gives what nothing disturbed gives.

A few kills by default, of a kind each. `make chaos` makes a hundred at random (:mod:`tests.support.long_form`).
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.conftest import Finished
from tests.support.chaos import SIGNALS, Plan, make_repro, plans, prepare, results, run_and_kill
from tests.support.long_form import CHAOS, SEED, announced
from tests.support.pipeline import IMAGES, Project, add_photographs

pytestmark = pytest.mark.pipeline

STAGES = 20  # that a run mentions, about
KILL, TERM, INT = SIGNALS
SHORT = (
    Plan(("dvc", "repro"), KILL, "group", "dvc.lock", 2, 0.0, 0.0, True, False),
    Plan(("dvc", "repro"), INT, "group", ".dvc/tmp/rwlock", 5, 0.0, 0.0, True, True),
    Plan(("t2i", "repro"), KILL, "dvc", "time", 7, 0.4, 0.1, True, True),
    Plan(("t2i", "repro"), TERM, "group", "time", 9, 0.2, 0.0, True, True),
)


@pytest.fixture(scope="module")
def changed(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, str]]:
    """A project with other parameters than in its last run, and the results of a run that nothing disturbed.

    In the long form there is another image, too, so that nearly all stages run. DVC's cache and the store know these results.
    """
    folder = tmp_path_factory.mktemp("chaos")
    project = finished.project.copy(folder / "changed")
    if CHAOS:
        add_photographs(project, range(IMAGES, IMAGES + 1))
    project.set(label__imagenet__threshold=0.03, evaluate__k=[1, 2, 4])
    undisturbed = project.copy(folder / "undisturbed")
    make_repro(undisturbed)
    for name in (".dvc/cache", ".cache"):
        shutil.rmtree(project.root / name)
        (undisturbed.root / name).rename(project.root / name)
    return project, results(undisturbed.root)


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_nothing_disturbed(
    changed: tuple[Project, dict[str, str]], tmp_path: Path
) -> None:
    start, wanted = changed
    chance, hits, failed = random.Random(SEED), Counter[str](), list[str]()
    print(announced(f"{CHAOS or len(SHORT)} kills"))
    for number, plan in enumerate(islice(plans(SEED, STAGES), 3 * CHAOS) if CHAOS else SHORT):
        project = start.copy(tmp_path / f"killed-{number}")
        prepare(project, plan, chance)
        hit = run_and_kill(project, plan)
        try:
            make_repro(project)
            found = results(project.root)
            wrong = sorted(
                name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)
            )
        except AssertionError as error:
            wrong = [str(error)[-2000:]]
        print(f"{number}: {plan}: {hit or 'ended before'}: {wrong or 'as undisturbed'}", flush=True)
        if wrong:
            failed.append(f"{plan}, {hit}: {wrong}")
        elif hit:
            hits[f"{plan.signal.name} {plan.target} {plan.moment}"] += 1
        if not wrong:
            shutil.rmtree(project.root)
            shutil.rmtree(f"{project.root}-site", ignore_errors=True)
        if CHAOS and hits.total() + len(failed) >= CHAOS:
            break
    print(f"{hits.total()} kills: {dict(hits)}")
    assert failed == []
    assert hits.total() >= (CHAOS or 2)
