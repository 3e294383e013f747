"""The file of judgements: what is there keeps its bytes, and nobody loses a row."""

import subprocess
import sys
from pathlib import Path

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


def test_judgements_out_of_range_are_one_sentence(path: Path) -> None:
    path.write_text("source,query,image_id,relevance,by,note\nhuman,shoe,a,4,me,\n")
    with pytest.raises(InputError, match=r"0, 1, 2 or 3 in row 2 .*found '4'"):
        read_judgements(path)
