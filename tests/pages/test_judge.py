"""Judging on the page and in the terminal."""

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image

from tests.support.judging import EVIL, HAT, HEADER, SHOE, session, three_images
from tests.support.pictures import encoded
from text2image.base.console import InputError
from text2image.base.store import cache_root
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.encode import jpeg
from text2image.pages.judge.page import MAX_BODY, MAX_SIDE, Page
from text2image.pages.judge.terminal import judge_in_terminal
from text2image.pages.placeholder import placeholder
from text2image.queries.judgements import read_judgements

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judgements.csv"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, ImageFile]:
    return three_images(tmp_path)


@pytest.fixture
def page(path: Path, files: dict[str, ImageFile]) -> Iterator[Page]:
    with Page(session(path), files) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def ask(
    page: Page, method: str, target: str, body: str | None = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", page.server_port, timeout=10)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def answer(page: Page, **fields: str) -> int:
    token = re.search(r'name="token" value="([^"]+)"', ask(page, "GET", "/")[2].decode())
    assert token is not None
    return ask(page, "POST", "/answer", urlencode({"token": token[1], **fields}))[0]


def test_the_page_shows_the_query_and_takes_grades(page: Page, path: Path) -> None:
    status, headers, html = ask(page, "GET", "/")
    assert status == 200 and "<h1><bdi>red shoe</bdi></h1>" in html.decode()
    assert "0 of 2 queries, 0 of 4 images" in html.decode()
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self'")
    assert not re.search(r"https?:|style=|<script>|onclick", html.decode())
    assert answer(page, query=SHOE, image="a", grade="3", note="a note") == 303
    assert answer(page, query=SHOE, image="a", grade="0") == 303
    assert path.read_text() == f"{HEADER}human,red shoe,a,3,Ann,a note\n"
    assert answer(page, action="undo") == 303
    assert path.read_text() == HEADER


def test_the_page_escapes_what_it_shows(page: Page) -> None:
    answer(page, action="skip", query=SHOE)
    html = ask(page, "GET", "/")[2].decode()
    assert "<h1><bdi>&lt;img src=x onerror=alert(1)&gt; &amp; &#39;hat&#39;</bdi></h1>" in html
    assert "onerror=alert(1)>" not in html
    for image in ("b", "c"):
        answer(page, query=HAT, image=image, grade="0")
    assert "judge the skipped (1)" in ask(page, "GET", "/")[2].decode()
    answer(page, action="again")
    assert "<h1><bdi>red shoe</bdi></h1>" in ask(page, "GET", "/")[2].decode()


def test_the_page_serves_images_of_the_gallery_only(page: Page, tmp_path: Path) -> None:
    status, headers, content = ask(page, "GET", "/image/a")
    (tmp_path / "shown").write_bytes(content)
    with Image.open(tmp_path / "shown") as image:
        assert (status, headers["Content-Type"], image.format) == (200, "image/jpeg", "JPEG")
        assert max(image.size) == MAX_SIDE
    outside = (
        "/image/x", "/image/a.png", "/image/../a.png", f"/image/{tmp_path}/a.png", "/image/%2e%2e%2fa", "/a.png",
        "/page.py", "/../page.py", "/image/",
    )  # fmt: skip
    assert {ask(page, "GET", target)[0] for target in outside} == {404}
    assert {ask(page, "GET", target)[0] for target in ("/page.css", "/page.js")} == {200}


@pytest.mark.parametrize("content", [b"no longer an image", encoded(Image.new("RGB", (40, 30), "blue"))])
def test_a_placeholder_stands_for_a_file_that_changed(page: Page, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.png").write_bytes(content)
    status, headers, shown = ask(page, "GET", "/image/b")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert shown == jpeg(placeholder(), MAX_SIDE)


def test_the_page_takes_nothing_from_elsewhere(page: Page, path: Path) -> None:
    grade = {"query": SHOE, "image": "a", "grade": "3"}
    for token in ({}, {"token": ""}, {"token": "x" * 43}, {"token": "é"}):
        assert ask(page, "POST", "/answer", urlencode(grade | token))[0] == 403
    good = urlencode(grade | {"token": page.token})
    for name in ("evil.example", f"evil.example:{page.server_port}", "127.0.0.1.evil.example", ""):
        assert ask(page, "POST", "/answer", good, Host=name)[0] == 421
        assert ask(page, "GET", "/", Host=name)[0] == 421
        assert ask(page, "GET", "/image/a", Host=name)[0] == 421
    assert ask(page, "POST", "/answer", "", **{"Content-Length": str(MAX_BODY + 1)})[0] == 413
    assert ask(page, "POST", "/answer", "", **{"Content-Length": "-1"})[0] == 411
    assert ask(page, "POST", "/other", good)[0] == 404
    assert ask(page, "POST", "/answer", good + "&x=1" * 20)[0] == 400
    for wrong in ({"grade": "7"}, {"action": "fly"}, {}):
        assert answer(page, **wrong) == 400
    assert ask(page, "PUT", "/answer", good)[0] == 501
    assert not path.exists()
    assert ask(page, "POST", "/answer", good, Host="localhost:1")[0] == 303
    assert len(read_judgements(path)) == 1


@pytest.mark.parametrize(
    "grade", ["true", "True", "3.0", "+3", " 3", "03", "nan", "٣", "9" * 5000, "", "[3]"]
)
def test_only_the_grades_of_the_page_are_taken(page: Page, path: Path, grade: str) -> None:
    form = {"token": page.token, "query": SHOE, "image": "a", "grade": grade}
    status, headers, said = ask(page, "POST", "/answer", urlencode(form))
    assert (status, headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert said == b"expected a grade of 0, 1, 2 or 3, or the action undo, skip or again\n"
    assert not path.exists()


@pytest.mark.parametrize(
    "wrong", [{"query": HAT}, {"query": "x"}, {"image": "x"}, {"image": "../a"}, {"image": ""}]
)
def test_only_what_is_to_be_judged_is_judged(page: Page, path: Path, wrong: dict[str, str]) -> None:
    form = {"token": page.token, "query": SHOE, "image": "a", "grade": "3"} | wrong
    status, _, said = ask(page, "POST", "/answer", urlencode(form))
    assert (status, said) == (400, b"expected a query and an image that are to be judged\n")
    assert not path.exists()


def test_a_picture_that_was_replaced_is_not_judged(
    page: Page, path: Path, files: dict[str, ImageFile]
) -> None:
    Path(str(files["a"].path)).write_bytes(encoded(Image.new("RGB", (40, 30), "blue")))
    form = {"token": page.token, "query": SHOE, "image": "a", "grade": "3"}
    status, _, said = ask(page, "POST", "/answer", urlencode(form))
    assert status == 409
    assert b"found other bytes" in said and b"`dvc repro`" in said
    assert not path.exists()
    lines: list[str] = []
    judge_in_terminal(session(path), files, lambda _: "3", lines.append)
    assert any("found other bytes" in line and "the query is skipped" in line for line in lines)
    assert lines[-1] == "nothing left to judge, 1 queries skipped", (
        "it does not ask for the same grade for ever"
    )
    assert {(row.query, row.image_id) for row in read_judgements(path)} == {(EVIL, "b"), (EVIL, "c")}


def test_the_page_goes_on_beside_a_damaged_row_and_says_so(page: Page, path: Path) -> None:
    path.write_text(f"{HEADER}human,red shoe,a,True,Ann,\n")
    html = ask(page, "GET", "/")[2].decode()
    assert "1 row cannot be used and is set aside" in html
    assert "line 2: a relevance of &#39;True&#39;" in html
    assert answer(page, query=SHOE, image="a", grade="3") == 303
    assert path.read_text() == f"{HEADER}human,red shoe,a,True,Ann,\nhuman,red shoe,a,3,Ann,\n"


def test_a_file_that_holds_no_judgements_is_said_and_the_page_goes_on(
    page: Page, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = urlencode({"token": page.token, "query": SHOE, "image": "a", "grade": "3"})
    path.write_text("other,columns\n")
    for method, target in (("GET", "/"), ("POST", "/answer")):
        status, headers, said = ask(page, method, target, form)
        assert (status, headers["Content-Type"]) == (500, "text/plain; charset=utf-8")
        assert said.startswith(b"expected the columns source, query,")
    assert path.read_text() == "other,columns\n"
    path.unlink()
    assert ask(page, "POST", "/answer", form)[0] == 303
    assert len(read_judgements(path)) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_grade_that_the_disk_does_not_take_is_said(page: Page, path: Path) -> None:
    cache_root().mkdir(exist_ok=True)
    (cache_root() / "locks").write_text("a file where a folder is to be made")
    form = urlencode({"token": page.token, "query": SHOE, "image": "a", "grade": "3"})
    status, _, said = ask(page, "POST", "/answer", form)
    assert status == 500
    assert said.startswith(f"expected a disk that takes what is written to {path} ".encode())
    (cache_root() / "locks").unlink()
    assert ask(page, "POST", "/answer", form)[0] == 303


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /answer HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000, b"413"),
        (b"GET http://[ HTTP/1.1\r\nHost: localhost", b"404"),
    ],
    ids=["length", "address"],
)
def test_numbers_and_addresses_that_are_none_have_an_answer(page: Page, sent: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", page.server_port), timeout=10) as connection:
        connection.sendall(sent + b"\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.0 " + status


def test_a_browser_that_goes_away_is_no_traceback(page: Page, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", page.server_port), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        connection.sendall(b"POST /answer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n")
    assert ask(page, "GET", "/")[0] == 200
    time.sleep(0.2)
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_in_use_is_one_sentence(page: Page, path: Path, files: dict[str, ImageFile]) -> None:
    with pytest.raises(InputError, match="expected to listen at"):
        Page(session(path), files, "127.0.0.1", page.server_port)


def test_judging_in_the_terminal(path: Path, files: dict[str, ImageFile]) -> None:
    typed = iter(["3 fits", "7", "u", "1", "s", "0", "q"])
    lines: list[str] = []
    judge_in_terminal(session(path), files, lambda _: next(typed), lines.append)
    assert [(row.query, row.image_id, row.relevance, row.note) for row in read_judgements(path)] == [
        ("red shoe", "a", 1, ""),
        (EVIL, "b", 0, ""),
    ]
    assert "query  red shoe" in lines and f"image  {files['a'].path}" in lines
    assert "expected 0, 1, 2, 3, u, s or q, found '7'" in lines and "taken back: 3 for red shoe" in lines


def test_the_terminal_ends_with_the_input_or_the_pool(path: Path, files: dict[str, ImageFile]) -> None:
    def end(_: str) -> str:
        raise EOFError

    judge_in_terminal(session(path), files, end, lambda _: None)
    lines: list[str] = []
    judge_in_terminal(session(path), files, lambda _: "0", lines.append)
    assert lines[-1] == "nothing left to judge" and len(read_judgements(path)) == 4
