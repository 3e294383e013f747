"""The file of judgements: what is there keeps its bytes, and nobody loses a row."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline import REPOSITORY
from text2image.base.console import InputError
from text2image.queries.judgements import JudgementRow, append_judgements, read_judgements, take_back_last

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judgements.csv"


def test_appending_keeps_every_byte_that_is_there(path: Path) -> None:
    before = (
        'by,note,source,query,image_id,relevance,mood\r\nBo,"two\r\nlines, ""quoted""",human,x,a,1,fine\r\n\r\n'
        "Ann,,human,red shoe,b,2,"
    ).encode("utf-8-sig")
    path.write_bytes(before)
    append_judgements([JudgementRow("human", "red, shoe", "a", 3, "Ann", "n")], path)
    assert path.read_bytes() == before + b'\r\nAnn,n,human,"red, shoe",a,3,\r\n'
    assert take_back_last("human", "Ann", path) == JudgementRow("human", "red, shoe", "a", 3, "Ann", "n")
    assert take_back_last("human", "Ann", path) is not None
    assert take_back_last("human", "Ann", path) is None
    assert path.read_bytes() == before[: before.rindex(b"Ann")]


def test_taking_back_leaves_other_judges_and_sources(path: Path) -> None:
    rows = [
        JudgementRow("human", "x", "a", 1, "Ann", ""), JudgementRow("human", "y\u2028z", "b", 2, "Ann", ""),
        JudgementRow("ocr", "x", "a", 1, "Ann", ""), JudgementRow("human", "x", "a", 1, "Bo", ""),
    ]  # fmt: skip
    append_judgements(rows, path)
    assert take_back_last("human", "Ann", path) == rows[1]
    assert read_judgements(path) == [rows[0], *rows[2:]]


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="expected the columns source"):
        append_judgements([JudgementRow("human", "x", "a", 1, "Ann", "")], path)
    assert path.read_text() == "a,b\n1,2\n"


def test_two_processes_lose_no_row(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from text2image.queries.judgements import JudgementRow, append_judgements\n"
        "for i in range(40): append_judgements([JudgementRow('s', 'q', str(i), 1, sys.argv[1], '')], Path(sys.argv[2]))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, by, str(path)], cwd=REPOSITORY) for by in ("Ann", "Bo")
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    rows = read_judgements(path)
    assert sorted((row.by, int(row.image_id)) for row in rows) == [
        (by, i) for by in ("Ann", "Bo") for i in range(40)
    ]


HEADER = "source,query,image_id,relevance,by,note\n"
DAMAGED = {
    "human,shoe,b,True,me,": "a relevance of 'True' where 0, 1, 2 or 3 is expected",
    "human,shoe,b,4,me,": "a relevance of '4'",
    "human,shoe,b,1.0,me,": "a relevance of '1.0'",
    "human,shoe,b,nan,me,": "a relevance of 'nan'",
    "human,shoe,b,,me,": "a relevance of ''",
    "human,shoe,b,٣,me,": "a relevance of '٣'",
    f"human,shoe,b,{'9' * 5000},me,": "a relevance of '999",
    "human,shoe,b,1,me": "5 cells where 6 are expected",
    "human,shoe,b,1,me,,more": "7 cells where 6 are expected",
    'human,"shoe" b,1,me,': "',' expected after",
    'human,"shoe,b,1,me,': "',' expected after",
    "<<<<<<< HEAD": "1 cells where 6 are expected",
}


@pytest.mark.parametrize("row", DAMAGED)
def test_a_row_that_cannot_be_used_is_named_and_set_aside(
    path: Path, row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = "human,shoe,a,3,me,\r\n", 'human,"a ""red"" hat",c,1,me,"two\nlines"\n'
    path.write_text(f"{HEADER}{before}{row}\n{after}", newline="")
    kept = path.read_bytes()
    expected = [
        JudgementRow("human", "shoe", "a", 3, "me", ""),
        JudgementRow("human", 'a "red" hat', "c", 1, "me", "two\nlines"),
    ]
    assert read_judgements(path) == expected
    assert read_judgements(path) == expected
    said = capsys.readouterr().err
    assert f"1 row cannot be used and is set aside, the others count (line 3: {DAMAGED[row]}" in said
    assert said.count("\n") == 1, "once, on one line"
    new = JudgementRow("human", "x", "d", 0, "me", "")
    append_judgements([new], path)
    assert path.read_bytes() == kept + b"human,x,d,0,me,\n", "nothing is lost from the file"
    assert [take_back_last("human", "me", path) for _ in range(3)] == [new, *reversed(expected)]
    assert path.read_bytes() == f"{HEADER}{row}\n".encode()


def test_bytes_that_are_no_text_are_set_aside_and_kept(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(HEADER.encode() + b"human,caf\xe9,a,3,me,\nhuman,x,b,2,me,")
    assert [row.image_id for row in read_judgements(path)] == ["b"]
    assert "line 2: not UTF-8" in capsys.readouterr().err
    append_judgements([JudgementRow("human", "y", "c", 0, "me", "")], path)
    assert path.read_bytes().splitlines()[1] == b"human,caf\xe9,a,3,me,"


def test_many_damaged_rows_are_counted(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(HEADER + "human,shoe,b,True,me,\n" * 5 + "human,shoe,a,3,me,\n")
    assert len(read_judgements(path)) == 1
    said = capsys.readouterr().err
    assert "5 rows cannot be used and are set aside" in said and "line 4" in said and "; and 2 more" in said


@pytest.mark.parametrize("relevance", [True, 1.0, "1", 4, -1, 10**30, float("nan"), None])
def test_only_the_integers_are_kept_as_grades(path: Path, relevance: Any) -> None:
    with pytest.raises(ValueError, match="expected a relevance of 0, 1, 2 or 3"):
        append_judgements([JudgementRow("human", "x", "a", relevance, "me", "")], path)
    assert not path.exists()
