"""What goes to a vision model and what comes back: bytes, pace, and texts that are not trusted."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stages import label, queries
from tests.support.chat_server import ChatServer
from tests.support.workplace import Workplace
from text2image.base.console import InputError
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.trec import read_qrels, read_queries
from text2image.labels.openai.encode import jpeg, upload
from text2image.labels.openai.pace import LONGEST_WAIT, Pace, backoff, retry_after
from text2image.labels.openai.schema import read_texts


def test_limits_per_minute_spread_requests() -> None:
    now = [100.0]
    pace = Pace(60, lambda: now[0])
    assert [pace.wait_for(1) for _ in range(3)] == [0.0, 1.0, 2.0]
    now[0] = 110.0
    assert pace.wait_for(30) == 0.0
    pace.correct(-20)
    assert pace.wait_for(1) == pytest.approx(10.0)
    pace.hold(60.0)
    assert pace.wait_for(1) == pytest.approx(60.0)
    assert Pace(None).wait_for(10**9) == 0.0


def test_retry_after_in_both_forms() -> None:
    later = datetime.now(UTC) + timedelta(seconds=30)
    assert retry_after({"retry-after": "0.05"}) == 0.05
    assert retry_after({"retry-after": format_datetime(later, usegmt=True)}) == pytest.approx(30, abs=2)
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert [retry_after(headers) for headers in ({}, {"retry-after": "soon"}, {"retry-after": "nan"})] == [
        None
    ] * 3
    assert all(0.0 <= backoff(attempt) <= LONGEST_WAIT for attempt in range(100))


def test_uploads_hold_pixels_only(tmp_path: Path) -> None:
    source = Image.effect_noise((900, 300), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "SECRET-CAMERA"
    source.save(
        tmp_path / "a.jpg",
        exif=exif,
        comment=b"SECRET-COMMENT",
        icc_profile=b"SECRET-PROFILE",
        dpi=(300, 300),
    )
    first, again = (upload(tmp_path / "a.jpg", 512) for _ in range(2))
    assert first == again
    assert (first.width, first.height) == (171, 512), "upright, and scaled"
    content = jpeg(source, 512)
    assert b"SECRET" not in content and b"Exif" not in content and b"ICC" not in content
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (512, 171), {})
    assert Image.open(io.BytesIO(jpeg(source.resize((40, 20)), 512))).size == (40, 20), "never enlarged"
    assert Image.open(io.BytesIO(jpeg(source.resize((5000, 1)), 512))).size == (512, 1)


NASTY = [
    "a\tb\r\nc\x00d\x1b[31m", "</script><script>alert(1)</script>", '=HYPERLINK("http://x","y")', "+1+1",
    "-2+3", "@SUM(A1)", "\u202eevil\u200f", "'=1+1", "lone \ud800 surrogate", "“quotes”, commas; \"and\" 'more'",
    "＝1+1", "long " * 2000, "x" * 10_000,
]  # fmt: skip


def test_untrusted_texts_stay_texts(workplace: Workplace, server: ChatServer) -> None:
    """From the answer through labels, queries and qrels and back, breaking and running nothing."""
    workplace.images(len(NASTY))
    left = iter(NASTY)
    server.script.content = lambda image: json.dumps({"caption": "", "queries": [next(left)]})
    workplace.run()
    labels = Path("data/labels/openai.csv")
    with labels.open(newline="") as file:
        raw = list(csv.reader(file))
    assert len(raw) == len(NASTY) + 1
    for _, text, _ in raw[1:]:
        assert text.isprintable() and 0 < len(text) <= label.MAX_TEXT + 1
        assert text[0] not in "=+-@\t\r"
    texts = {row["image_id"]: row["text"] for row in read_csv(labels, ["image_id", "text"])}
    assert len(texts) == len(NASTY)
    assert {"a b c d [31m", '=HYPERLINK("http://x","y")', "+1+1", "-2+3", "'=1+1", "evil"} < set(
        texts.values()
    )
    Path("data/catalog.csv").write_text(
        "path,image_id,near_group\n" + "".join(f"{image}.png,{image},{n}\n" for n, image in enumerate(texts))
    )
    found = queries.make_queries(texts.items())
    assert {query.text for query in found} == set(texts.values())
    write_and_read_back(found, texts)


def write_and_read_back(found: list[queries.Query], texts: dict[str, str]) -> None:
    from text2image.formats.trec import write_qrels, write_queries

    write_queries(Path("q.tsv"), found)
    write_qrels(Path("q.qrels"), {q.query_id: dict.fromkeys(q.relevant, 1) for q in found})
    lines = Path("q.tsv").read_text().split("\n")
    assert len(lines) == len(found) + 1
    assert not any(line.split("\t")[1][0] in "=+-@" for line in lines if line)
    read = read_queries(Path("q.tsv"))
    relevant = read_qrels(Path("q.qrels"))
    assert {image: read[query] for query, images in relevant.items() for image in images} == texts


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '<think>{"hm"}</think>```json\n{"caption": "a", "queries": ["b"]}\n```',
            {"caption": "a", "queries": ["b"]},
        ),
        ('{"caption": "a", "queries": [" "], "more": 1}', {"caption": "a", "queries": []}),
        ('{"caption": "", "queries": []}', {"failure": "empty answer"}),
        ('{"caption": ["a"], "queries": "b"}', {"failure": "malformed answer"}),
        ("[" * 5000, {"failure": "malformed answer"}),
        ('{"a":' * 5000, {"failure": "malformed answer"}),
        (None, {"failure": "empty answer"}),
        (17, {"failure": "empty answer"}),
    ],
)
def test_answers_of_servers_that_ignore_the_schema(content: Any, expected: dict[str, Any]) -> None:
    body = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    assert read_texts(body) == expected


CELLS = [
    "=1+1", "'=1+1", "''=1", "'", "'tis", "-0.25", "+1", "1e-5", "-", "-x", "'-0.25", "@a", "\t=1", "\r", "a=b", "",
]  # fmt: skip


def test_guarded_cells_come_back_and_numbers_stay(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("cell", "number"), [(cell, -0.25) for cell in CELLS])
    rows = read_csv(tmp_path / "t.csv", ("cell", "number"))
    assert [row["cell"] for row in rows] == CELLS
    assert {row["number"] for row in rows} == {"-0.25"}
    with (tmp_path / "t.csv").open(newline="") as file:
        written = [cell for cell, _ in csv.reader(file)][1:]
    assert written[:5] == ["'=1+1", "''=1+1", "'''=1", "'", "'tis"]
    assert written[5:8] == ["-0.25", "+1", "1e-5"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "http://user:secret@host/v1"}, "label.openai.base_url: .*without a password"),
        ({"base_url": "localhost"}, r"label\.openai\.base_url"),
        ({"queries": []}, r"label\.openai\.queries"),
        ({"queries": ["titles"]}, r"label\.openai\.queries"),
        ({"budget_usd": 1.0, "price_input_per_million": None}, "expected both prices"),
        ({"mode": "later"}, r"label\.openai\.mode"),
    ],
)
def test_wrong_settings_are_one_sentence(workplace: Workplace, changes: dict[str, Any], message: str) -> None:
    workplace.images(1)
    workplace.set(**changes)
    with pytest.raises(InputError, match=message) as caught:
        workplace.run()
    assert "\n" not in str(caught.value)
