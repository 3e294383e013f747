"""The search on the command line, in a finished project."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Finished
from tests.support.pipeline import IMAGES, Project
from text2image.base.store import Store
from text2image.encoders.vectors import text_determinants, text_key
from text2image.formats.trec import read_queries, read_run
from text2image.pages.search.searcher import Searcher

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


def test_all_scores_are_those_of_the_runs(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    """One query at a time gives what retrieval gives to all at once."""
    from text2image.params import load_params

    monkeypatch.chdir(finished.project.root)
    monkeypatch.setenv("DVC_ROOT", str(finished.project.root))
    searcher = Searcher(load_params(), "builtin")
    for source in ("human", "imagenet"):
        texts = read_queries(Path("data", "queries", f"{source}.tsv"))
        for query, ranking in read_run(Path("data", "runs", "builtin", f"{source}.run")).items():
            found = searcher.search(texts[query], 1000)
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
    assert lines[0].split() == ["rank", "score", "image_id", "path"]
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
    assert "\x1b" not in refusal(project, "shoe", "--model", "\x1b[31mred")


def test_what_cannot_be_answered_is_one_sentence(project: Project) -> None:
    assert "expected a model of embed.models" in refusal(project, "shoe", "--model", "../builtin")
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
    assert f"expected {IMAGES} rows" in refusal(project, "shoe")
    shutil.rmtree(project.root / "data" / "models")
    assert "data/models/builtin.json" in refusal(project, "shoe")
