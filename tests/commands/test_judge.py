"""``t2i judge``: what it pools, who judges, and what does not fit together."""

from pathlib import Path

import pytest
import yaml

from tests.support.judging import EVIL, HAT, SHOE, three_images
from tests.support.pipeline import REPOSITORY
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.collection.manifest import ImageFile
from text2image.commands.judge import main, person, read_suspicion, summary
from text2image.formats.texts import query_id
from text2image.queries.judgements import JudgementRow, read_judgements
from text2image.queries.judging.pool import PooledQuery, most_suspicious_first

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, ImageFile]:
    return three_images(tmp_path)


def test_queries_with_suspicious_labels_come_first(tmp_path: Path) -> None:
    queries = [PooledQuery(query_id(text), text, ()) for text in ("one", "two", "three", "four")]
    audit = tmp_path / "audit.csv"
    audit.write_text("image_id,text,suspicion\na,one,0.65\na,two,0.2\nb,two,0.6\na,FOUR,0.7\n")
    ordered = most_suspicious_first(queries, read_suspicion(audit))
    assert [query.text for query in ordered] == ["four", "one", "two", "three"]
    assert read_suspicion(tmp_path / "none.csv") == {}


def test_a_person_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("text2image.commands.judge._git_user", lambda: "")
    monkeypatch.setenv("LOGNAME", "login")
    assert person(None) == "login"
    assert person(" Ann\n") == "Ann"
    for name in ("", "\u200b", "model:x"):
        with pytest.raises(InputError, match=r"judge\.by"):
            person(name)


def test_the_summary_tells_how_far_people_and_models_agree() -> None:
    def row(image: str, grade: int, by: str) -> JudgementRow:
        return JudgementRow("human", "shoe", image, grade, by, "")

    rows = [row("a", 0, "model:m"), row("a", 3, "Ann"), row("b", 2, "Ann"), row("b", 3, "Ann")]
    assert summary("human", rows[1:]) == "judge human: 2 images judged for a query, 2 by people, 0 by models"
    rows += [row("b", 3, "model:m"), row("c", 0, "Ann"), row("c", 0, "model:m")]
    # grades (3,0) (3,3) (0,0): observed 9/3 = 3; expected over (2/3, 1/3) x (1/3, 2/3): 9 (4/9 + 1/9) = 5
    assert summary("human", rows).endswith("judged by both (Cohen's kappa, quadratic weights): 0.40")
    assert "agreement on the 3" in summary("human", rows)


@pytest.fixture
def project(tmp_path: Path, files: dict[str, ImageFile], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the pipeline leaves it: of the query's label b.png, judgements left nothing in the qrels."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"]["images"] = "."
    params["retrieve"]["systems"] = ["builtin"]
    params["judge"] |= {"by": "Ann", "depth": 1}
    a, b, c = (files[name].image_id for name in "abc")
    contents = {
        "params.yaml": yaml.safe_dump(params),
        "data/manifest.csv": "image_id,path\n"
        + "".join(f"{file.image_id},{name}.png\n" for name, file in files.items()),
        "data/labels/human.csv": f"image_id,text\n{b},red shoe\n{a},{EVIL}\n",
        "data/queries/human.tsv": f"{HAT}\t{EVIL}\n{SHOE}\tred shoe\n",
        "data/qrels/human.qrels": f"{SHOE} 0 {c} 2\n",
        "data/runs/builtin/human.run": f"{SHOE} Q0 {a} 1 0.9 builtin\n{SHOE} Q0 z 2 0.8 builtin\n",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_pools_what_the_pipeline_left(
    project: Path,
    files: dict[str, ImageFile],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed = iter("230")
    monkeypatch.setattr(
        "text2image.pages.judge.terminal.judge_in_terminal.__defaults__", (lambda _: next(typed), print)
    )
    main(["human", "--terminal"])
    rows = [(row.query, row.image_id, row.relevance, row.by) for row in read_judgements(ARTIFACTS.judgements)]
    pooled = sorted(file.image_id for file in files.values())
    assert rows == [("red shoe", image, grade, "Ann") for image, grade in zip(pooled, (2, 3, 0), strict=True)]
    assert "judge human: 3 images judged for a query, 3 by people, 0 by models" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data/runs/builtin/human.run", None, r"data/runs/builtin/human\.run.*`dvc repro`"),
        ("data/qrels/human.qrels", f"{SHOE} 0 gone 2\n", "found gone; run `dvc repro`"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(
    project: Path, name: str, content: str | None, message: str
) -> None:
    if content is None:
        (project / name).unlink()
    else:
        (project / name).write_text(content)
    with pytest.raises(InputError, match=message):
        main(["human", "--terminal"])


def test_the_source_must_be_listed(project: Path) -> None:
    with pytest.raises(InputError, match=r"label\.sources"):
        main(["../human"])
