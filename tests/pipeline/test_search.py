"""The search on the command line, in a finished project."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

from tests.conftest import Finished
from tests.support.banners import ATTACK, BANNERS, add_banners
from tests.support.pipeline import IMAGES, Project
from tests.support.unprivileged import read_only, unprivileged
from text2image.base.store import Store
from text2image.encoders.vectors import text_determinants, text_key
from text2image.formats.tables import read_csv
from text2image.formats.trec import read_queries, read_run
from text2image.pages.search.searcher import Searcher
from text2image.pages.search.why import as_json
from text2image.pages.theme import MARK
from text2image.retrieval.systems.scorer import Why, parse_why

pytestmark = pytest.mark.pipeline


def search(project: Project, *arguments: str, typed: str = "") -> tuple[str, str]:
    """Run the search and return what it printed as data and what it said."""
    done = subprocess.run(
        ["python", "-m", "text2image.cli", "search", *arguments], cwd=project.root, env=project.environment(),
        input=typed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def refusal(project: Project, *arguments: str) -> str:
    """Run a search that must fail and return its one sentence."""
    output = project.run("python", "-m", "text2image.cli", "search", *arguments, check=False)
    assert "Traceback" not in output, output
    assert output.startswith("error: "), output
    assert output.count("\n") == 1, output
    return output


def listed(answers: str) -> list[list[dict[str, Any]]]:
    return [json.loads(line) for line in answers.splitlines()]


@pytest.fixture
def queries(finished: Finished) -> dict[str, str]:
    """The queries of the human source that were asked."""
    root = finished.project.root
    asked = read_run(root / "data" / "runs" / "builtin" / "human.run")
    texts = read_queries(root / "data" / "queries" / "human.tsv")
    return {key: text for key, text in texts.items() if key in asked}


def stored(project: Project, text: str) -> bytes | None:
    card = json.loads((project.root / "data" / "models" / "builtin.json").read_text())
    with Store("embeddings", text_determinants(card, "fp32"), project.root / ".cache") as store:
        return dict(store.get([text_key(text)])).get(text_key(text))


def test_known_and_unknown_texts_match_the_runs_to_the_last_rank(
    project: Project, queries: dict[str, str]
) -> None:
    some = dict(list(queries.items())[:3])
    run = read_run(project.root / "data" / "runs" / "builtin" / "human.run")
    typed = "".join(f"{text}\n" for text in some.values())
    known, said = search(project, "--json", "-k", "1000", typed=typed)
    assert said == "", "texts that were embedded before need no model"
    before = [stored(project, text) for text in some.values()]
    for path in (project.root / ".cache" / "embeddings").iterdir():
        path.unlink()
    computed, said = search(project, "--json", "-k", "1000", typed=typed)
    assert said.count("loading builtin") == 1, "the model is loaded once for all queries"
    assert [stored(project, text) for text in some.values()] == before, "the same vectors, bit by bit"
    assert computed == known
    for query, found in zip(some, listed(known), strict=True):
        assert [f["rank"] for f in found] == list(range(1, IMAGES + 1))
        assert [(f["image_id"], f["score"]) for f in found] == run[query]
        assert all((project.root / f["path"]).is_file() for f in found)


def test_a_checkout_that_may_not_be_written_to_is_searched(project: Project, queries: dict[str, str]) -> None:
    """What the store has is read from it, and what it has not is computed and not kept; the page's service is the same."""
    typed = "".join(
        f"{text}\n"
        for text in (*list(queries.values())[:2], "a text of its own", "data/images/0/photo 0.jpg")
    )
    command = ["python", "-m", "text2image.cli", "search", "--json", "-k", "1000"]

    def ask() -> str:
        done = subprocess.run(
            command, cwd=project.root, env=project.environment(), input=typed, capture_output=True, text=True, check=False,
            preexec_fn=unprivileged,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("loading builtin") == 1 and "Traceback" not in done.stderr, done.stderr
        return done.stdout

    with read_only(project.root):
        found = ask()
    assert stored(project, "a text of its own") is None
    assert ask() == found
    assert stored(project, "a text of its own") is not None


def test_all_scores_are_those_of_the_runs(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    """One query at a time gives what retrieval gives to all at once."""
    from text2image.params import load_params

    monkeypatch.chdir(finished.project.root)
    monkeypatch.setenv("DVC_ROOT", str(finished.project.root))
    searcher = Searcher(load_params(), "builtin")
    for source in ("human", "imagenet"):
        texts = read_queries(Path("data", "queries", f"{source}.tsv"))
        for query, ranking in read_run(Path("data", "runs", "builtin", f"{source}.run")).items():
            found = searcher.search(texts[query], 1000).results
            assert [f.image_id for f in found] == [image_id for image_id, _ in ranking]
            assert [f.score for f in found] == pytest.approx([score for _, score in ranking], abs=1e-7)


def test_an_image_finds_itself_in_the_gallery_and_from_elsewhere(project: Project, tmp_path: Path) -> None:
    inside = "data/images/0/photo 0.jpg"
    outside = tmp_path / "larger.png"
    with Image.open(project.root / inside) as image:
        image.resize((image.width * 2, image.height * 2)).save(outside)
    answers, said = search(project, "--json", "-k", "1", typed=f"{inside}\n")
    assert said == "", "an image of the gallery needs no model"
    (first,) = listed(answers)
    assert first[0]["path"] == inside
    assert first[0]["score"] == pytest.approx(1.0, abs=1e-6)
    answers, said = search(project, "--json", "-k", "2", typed=f"{outside}\n{inside}\n")
    assert "loading builtin" in said
    assert [found[0]["path"] for found in listed(answers)] == [inside, inside]
    assert 0.8 < listed(answers)[0][0]["score"] < 1.0


def test_people_read_lines_and_sheets(project: Project, queries: dict[str, str]) -> None:
    text = next(iter(queries.values()))
    printed, _ = search(project, text, "-k", "3", "--sheet", "found.png")
    lines = printed.splitlines()
    assert lines[0].split() == ["rank", "score", "image_id", "path"], "a model alone does not say why"
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    with Image.open(project.root / "found.png") as sheet:
        assert np.asarray(sheet).std() > 5
    assert "found.what" in refusal(project, text, "--sheet", "found.what")


def test_control_characters_are_not_printed(project: Project, queries: dict[str, str]) -> None:
    manifest = project.root / "data" / "manifest.csv"
    content = manifest.read_text()
    manifest.unlink()
    manifest.write_text(content.replace("0/photo 0.jpg", "0/\x1b[31m\u202egnp.jpg"))
    for options in ([], ["--json"]):
        printed, said = search(project, next(iter(queries.values())), *options)
        assert "[31m" in printed
        assert (printed + said).replace("\n", "").isprintable()
    assert "\x1b" not in refusal(project, "shoe", "--system", "\x1b[31mred")


def test_what_cannot_be_answered_is_one_sentence(project: Project) -> None:
    assert "expected a system of retrieve.systems" in refusal(project, "shoe", "--model", "../builtin")
    assert "nothing visible" in refusal(project, " \u200b ")
    assert "not an image" in refusal(project, "labels.csv")
    assert "error" not in search(project, typed="\n")[1]
    _, said = search(project, typed="labels.csv\n./labels.csv\n")
    assert said.count("error: expected a usable image") == 2, "the prompt goes on after an error"
    vectors = project.root / "data" / "embeddings" / "builtin" / "images.npy"
    matrix = np.load(vectors)
    for damage, message in ((b"", "expected a matrix"), (None, "no such file; run `dvc repro`")):
        vectors.unlink()
        if damage is not None:
            vectors.write_bytes(damage)
        assert message in refusal(project, "shoe")
    np.save(vectors, matrix[:-1])
    assert f"expected a row for each of the {IMAGES} views" in refusal(project, "shoe")
    shutil.rmtree(project.root / "data" / "models")
    assert "data/models/builtin.json" in refusal(project, "shoe")


SYSTEMS = {
    "bm25": {"kind": "words", "fields": ["ocr"], "match": "words"},
    "halves": {"kind": "words", "fields": ["ocr"], "match": "both"},
    "weighted": {"kind": "fusion", "of": ["builtin", "words"], "weights": {"builtin": 0.3, "words": 0.7}},
    "ranks": {
        "kind": "fusion",
        "of": ["builtin", "bm25"],
        "method": "ranks",
        "weights": {"builtin": 1, "bm25": 1},
    },
}
"""Beside those of params.yaml."""


@pytest.fixture(scope="module")
def systems(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with banners, searched by every kind of system that needs nothing from elsewhere."""
    project = finished.project.copy(tmp_path_factory.mktemp("systems") / "project")
    add_banners(project)
    described = {f"systems__{name}": settings for name, settings in SYSTEMS.items()}
    project.set(
        label__sources=["human"],
        retrieve__fields=["ocr"],
        retrieve__systems=["builtin", "words", "both", *SYSTEMS],
        **described,
    )
    project.repro("retrieve")
    return project


@pytest.mark.parametrize("system", ["builtin", "words", *SYSTEMS])
def test_every_kind_of_system_finds_what_its_run_has(systems: Project, system: str) -> None:
    texts = read_queries(systems.root / "data" / "queries" / "human.tsv")
    run = read_run(systems.root / "data" / "runs" / system / "human.run")
    assert len(run) > 10
    answers, said = search(
        systems,
        "--json",
        "-k",
        "1000",
        "--system",
        system,
        typed="".join(f"{texts[query]}\n" for query in run),
    )
    assert said == "", "all was embedded before"
    for (query, ranking), found in zip(run.items(), listed(answers), strict=True):
        assert [f["image_id"] for f in found] == [image_id for image_id, _ in ranking], texts[query]
        assert [f["score"] for f in found] == pytest.approx([score for _, score in ranking], abs=1e-7)
    table = read_csv(systems.root / "data" / "why" / system / "human.csv", ["query_id", "image_id", "why"])
    explained = {(row["query_id"], row["image_id"]): parse_why(row["why"]) for row in table}
    assert explained or system == "builtin"
    for query, found in zip(run, listed(answers), strict=True):
        for one in found[:5]:
            why = json.loads(json.dumps(as_json(explained.get((query, one["image_id"]), Why()))))
            assert one["why"].pop("parts") == pytest.approx(why.pop("parts"), abs=1e-9)
            assert one["why"] == why


def test_tuned_weights_are_those_chosen_on_all_queries(systems: Project) -> None:
    query, weights_file = "red summer fruit", systems.root / "data" / "weights" / "both" / "human.json"
    scores = {}
    for system in ("builtin", "words", "both"):
        [found] = listed(search(systems, "--json", "-k", "1000", "--system", system, typed=f"{query}\n")[0])
        scores[system] = {one["image_id"]: one for one in found}
    about = json.loads(weights_file.read_text())
    for part in ("builtin", "words"):
        of_part = np.array([scores[part][image]["score"] for image in sorted(scores[part])])
        deviations = (of_part - of_part.mean()) / about["units"][part]
        shares = [scores["both"][image]["why"]["parts"][part] for image in sorted(scores["both"])]
        expected = about["weights"][part] * deviations * abs(deviations)
        assert shares == pytest.approx(expected.tolist(), abs=1e-6)
    systems.set(systems__both__weights={"builtin": 1, "words": 1})
    try:
        assert "out of date" in refusal(systems, query, "--system", "both")
    finally:
        systems.set(systems__both__weights="tuned")


def test_a_search_says_why(systems: Project) -> None:
    printed, _ = search(systems, "summer sale", "-k", "2", "--system", "weighted", "--sheet", "found.png")
    head, *lines = printed.splitlines()
    assert head.split() == ["rank", "score", "image_id", "why", "path"]
    assert all("SUMMER SALE | builtin " in line and " words +" in line for line in lines)
    assert {line.rpartition("images/")[2] for line in lines} == {"0/sale.png", "1/strip.png"}
    with Image.open(systems.root / "found.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    yellow = ImageColor.getrgb(MARK)
    assert (np.abs(pixels - yellow).max(axis=2) < 3).sum() > 100, "the words are marked"
    answers, _ = search(systems, "--json", "-k", "1", "--system", "words", typed=f"{ATTACK}\nsummer sale\n")
    attack, sale = (found[0]["why"]["matches"][0] for found in listed(answers))
    assert attack["text"] == ATTACK
    assert sale["words"] == ["SUMMER", "SALE"]
    area = BANNERS[listed(answers)[1][0]["path"].removeprefix("data/images/")].area("SUMMER SALE")
    xs, ys = zip(*sale["box"], strict=True)
    assert min(xs) < area[0] and min(ys) < area[1] + 5 and max(ys) > area[3] - 5


def test_a_picture_is_compared_by_what_sees(systems: Project) -> None:
    inside = "data/images/0/photo 0.jpg"
    assert "searches in words alone" in refusal(systems, inside, "--system", "words")
    plain, said = search(systems, inside, "--json", "--system", "builtin")
    assert said == ""
    fused, said = search(systems, inside, "--json", "--system", "weighted")
    assert said == "A picture has no words: answered by builtin.\n"
    assert fused == plain


def test_a_model_that_is_no_system_in_use_can_be_asked(systems: Project) -> None:
    systems.set(retrieve__systems=["words"])
    try:
        answers, _ = search(systems, "--json", "--model", "builtin", typed="red fruit\n")
        assert len(listed(answers)[0]) == 10
        assert "found 'bm25'" in refusal(systems, "shoe", "--system", "bm25")
    finally:
        systems.set(retrieve__systems=["builtin", "words", "both", *SYSTEMS])
