"""Both pages under attack, served as their commands do: pictures that fill the memory, wrong types, replaced files."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.pictures import encoded, gradient
from tests.support.served import CALL, JOIN, Served, bomb, make_gallery, served
from text2image.artifacts import Artifacts
from text2image.queries.judgements import read_judgements

MB = 1024 * 1024
NAMES = [f"{number}.png" for number in range(6)]
GHOSTSCRIPT = "#!/bin/sh\ntouch {}\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    make_gallery(folder, NAMES)
    return folder


@pytest.fixture(scope="module")
def called(root: Path) -> Path:
    """A file that a made-up Ghostscript, first on the PATH of the servers, would write."""
    return root / "called"


@pytest.fixture(scope="module")
def search_page(root: Path, called: Path) -> Iterator[Served]:
    programs = root / "programs"
    programs.mkdir()
    (programs / "gs").write_text(GHOSTSCRIPT.format(called))
    (programs / "gs").chmod(stat.S_IRWXU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        with served(root, "app", "--by", "Ann") as page:
            yield page


@pytest.mark.slow
def test_many_large_pictures_at_once_need_no_more_memory_than_one(search_page: Served) -> None:
    content = bomb()
    assert search_page.ask("POST", "/picture", content, seconds=60)[0] == 200
    one = search_page.peak()
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(lambda _: search_page.ask("POST", "/picture", content, seconds=120), range(10))
        )
    assert {status for status, _ in answers} == {200}
    status, said = search_page.ask("POST", "/picture", bomb(9_900))
    assert (status, json.loads(said)) == (415, {"error": "more than 32 megapixels (scale it down)"})
    assert search_page.peak() < one + 150 * MB, "ten at once took what one takes"


def test_uploads_that_stand_still_keep_no_other_waiting(search_page: Served) -> None:
    address = ("127.0.0.1", search_page.port)
    head = f"POST /picture HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nContent-Length: {MB}\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(12):
            idle = stack.enter_context(socket.create_connection(address))
            idle.sendall(head.encode() + b"\x89")
        status, said = search_page.ask("POST", "/picture", encoded(gradient()), seconds=10)
        assert status == 200, said


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n0 0 moveto 40 40 lineto stroke\nshowpage\n%%EOF\n"


def test_a_drawing_named_as_a_picture_starts_no_program(search_page: Served, called: Path) -> None:
    status, said = search_page.ask("POST", "/picture", EPS)
    assert status == 415
    assert json.loads(said) == {"error": "EPS or PostScript drawing (not supported: convert to JPEG or PNG)"}
    assert not called.exists()


WRONG: list[Any] = [True, False, 1.0, 2.5, "3", "True", None, [3], {"grade": 3}, 4, -1, 10**30]


@pytest.mark.parametrize("grade", WRONG, ids=str)
def test_only_an_integer_is_a_grade(search_page: Served, root: Path, grade: Any) -> None:
    call = {
        "query": "red shoe",
        "image": min(Artifacts(root).manifest.read_text().splitlines()[1:]).split(",")[0],
    }
    status, said = search_page.ask("POST", CALL, search_page.grade_call(call | {"grade": grade}))
    assert status == 400
    assert json.loads(said)["error"].startswith("expected a call as the page makes it, found at data.grade")
    assert not (root / "data" / "judgements.csv").exists()


def test_calls_that_are_no_calls_are_one_sentence(search_page: Served) -> None:
    good = {
        "data": ["a", "builtin", "none"],
        "fn_index": 1,
        "session_hash": "s",
        "event_data": None,
        "trigger_id": 1,
    }
    changes: list[dict[str, Any]] = [
        {"fn_index": True}, {"fn_index": 1.0}, {"fn_index": "1"}, {"fn_index": 10**20}, {"fn_index": -1},
        {"fn_index": None}, {"data": "a"}, {"data": [True]}, {"data": [1.5]}, {"data": [["a"]]}, {"data": [{}]},
        {"data": ["a"] * 99}, {"session_hash": 1}, {"session_hash": "s" * 999}, {"trigger_id": "x"},
        {"event_data": [1]}, {"event_data": {"query": True}}, {"event_data": {"query": {"path": "/etc/passwd"}}},
        {"batched": True}, {"simple_format": True},
    ]  # fmt: skip
    bodies = [json.dumps(good | change).encode() for change in changes]
    raw = json.dumps(good).encode()
    bodies += [
        raw.replace(b'"a"', word) for word in (b"NaN", b"Infinity", b"-Infinity", b"9" * 5000, b"[" * 20_000)
    ]
    bodies += [b"", b"\xff", b"null", b"[]", b'"a"', b"{", b"{}"]
    for body in bodies:
        status, said = search_page.ask("POST", JOIN, body, Content_Length=str(len(body)))
        assert status == 400, body[:200]
        assert json.loads(said)["error"].startswith("expected a call as the page makes it"), body[:200]
    assert search_page.ask("GET", "/image/x?side=true")[0] == 400
    assert search_page.ask("GET", "/image/x?side=" + "9" * 4400)[0] in (400, 404)
    assert search_page.ask("GET", "/image/x?side=NaN")[1].startswith(b'{"error":"expected an image')


def test_a_grade_of_a_picture_that_was_replaced_is_refused(search_page: Served, root: Path) -> None:
    image, name = Artifacts(root).manifest.read_text().splitlines()[1].split(",")[:2]
    before = (root / "images" / name).read_bytes()
    call = search_page.grade_call({"query": "red shoe", "image": image, "grade": 3})
    (root / "images" / name).write_bytes(encoded(gradient()))
    try:
        said = json.loads(search_page.ask("POST", CALL, call)[1])
        assert "found other bytes" in said["error"]
        assert "`dvc repro`" in said["error"]
    finally:
        (root / "images" / name).write_bytes(before)
    assert json.loads(search_page.ask("POST", CALL, call)[1]) == {"kept": "human"}
    [row] = read_judgements(root / "data" / "judgements.csv")
    assert (row.image_id, row.relevance) == (image, 3)
    (root / "data" / "judgements.csv").unlink()
