"""Both pages under load: fifty clients that look, search, upload and judge at once, large and broken pictures among it.

Ten seconds a page; in the long form (``make chaos``) a minute.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.long_form import CHAOS, SEED, announced
from tests.support.pictures import encoded
from tests.support.served import CALL, JOIN, TEXTS, Served, bomb, make_gallery, served
from tests.support.workplace import picture
from text2image.artifacts import Artifacts
from text2image.queries.judgements import read_judgements

pytestmark = pytest.mark.slow

CLIENTS = 50
SECONDS = 60 if CHAOS else 10
LONGEST = 30.0  # seconds that an answer may take, on two cores that serve fifty clients and run these, too
LARGEST = 90.0  # seconds that one may take that waits for pictures of 31 megapixels
MOST = 2_000_000_000  # bytes
NAMES = [f"{number}.png" for number in range(20)]

Step = Callable[[random.Random], str]
"""Asks the page for one thing, checks the answer and returns what it was."""


def press(steps: dict[Step, int]) -> Counter[str]:
    """Have all clients do steps, each as often as its weight says, until the time is over; return how often each was done."""
    print(announced(f"{CLIENTS} clients for {SECONDS} s"))
    end, done, slowest, lock = time.monotonic() + SECONDS, Counter[str](), [0.0], threading.Lock()

    def client(number: int) -> None:
        chance = random.Random(SEED * 1000 + number)
        while time.monotonic() < end:
            [step] = chance.choices(list(steps), list(steps.values()))
            start = time.monotonic()
            what = step(chance)
            took = time.monotonic() - start
            assert took < (LARGEST if what == "large upload" else LONGEST), f"{what} took {took:.1f} s"
            with lock:
                done[what] += 1
                slowest[0] = max(slowest[0], took)

    with ThreadPoolExecutor(CLIENTS) as pool:
        for future in [pool.submit(client, number) for number in range(CLIENTS)]:
            future.result()
    print(dict(done), f"slowest {slowest[0]:.1f} s")
    return done


@pytest.fixture
def gallery(tmp_path: Path) -> list[str]:
    return sorted(make_gallery(tmp_path, NAMES))


def function_of(page: Served, event: str) -> int:
    """Return the number of the function that the page calls at an event of one of its controls."""
    config = json.loads(re.findall(rb"window\.gradio_config = (.*?);</script>", page.ask("GET", "/")[1])[0])
    return next(
        int(one["id"])
        for one in config["dependencies"]
        if one["backend_fn"] and event in [name for _, name in one["targets"]]
    )


def complete(page: Served, function: int, data: list[Any], event: dict[str, str] | None) -> str:
    """Have a control's function run, and return what it put into the page."""
    session = f"{random.SystemRandom().getrandbits(40):x}"
    call = {
        "data": data,
        "fn_index": function,
        "session_hash": session,
        "event_data": event,
        "trigger_id": None,
    }
    assert page.ask("POST", JOIN, json.dumps(call).encode(), LONGEST)[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=LARGEST)
    try:
        connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        answer = connection.getresponse()
        assert answer.status == 200
        end, heard = time.monotonic() + LARGEST, list[str]()
        while line := answer.readline():
            assert time.monotonic() < end, heard
            heard.append(line.decode()[:200])
            if line.startswith(b"data:"):
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    assert message["success"], message
                    return json.dumps(message["output"]["data"])
        raise AssertionError("the page ended without an answer")
    finally:
        connection.close()


def test_the_search_page_bears_fifty_clients(tmp_path: Path, gallery: list[str]) -> None:
    pictures = [encoded(picture(number).resize((1600, 1200))) for number in range(40, 44)]
    large, broken = bomb(), pictures[0][: len(pictures[0]) // 2]
    with served(tmp_path, "app", "--by", "Ann") as page:
        call = json.loads(page.grade_call({}))
        at_search, at_picture = function_of(page, "click"), function_of(page, "picture")

        def look(chance: random.Random) -> str:
            assert page.ask("GET", "/", seconds=LONGEST)[0] == 200
            return "page"

        def thumbnail(chance: random.Random) -> str:
            path = f"/image/{chance.choice(gallery)}?side={chance.choice((320, 960))}"
            status, content = page.ask("GET", path, seconds=LONGEST)
            assert (status, content[:2]) == (200, b"\xff\xd8")
            return "picture"

        def search(chance: random.Random) -> str:
            shown = complete(page, at_search, [chance.choice(TEXTS), "builtin", "none"], None)
            assert "data-image" in shown
            return "search"

        def upload(chance: random.Random, content: bytes) -> str:
            status, said = page.ask("POST", "/picture", content, LARGEST)
            assert status == 200, said
            event = {"picture": json.loads(said)["picture"]}
            shown = complete(page, at_picture, ["builtin", "none"], event)
            assert "query-picture" in shown or "too long ago" in shown, shown[:500]
            return "large upload" if content is large else "upload"

        def refused(chance: random.Random) -> str:
            assert page.ask("POST", "/picture", broken, LONGEST)[0] == 415
            return "broken upload"

        def grade(chance: random.Random) -> str:
            data = {
                "query": chance.choice(TEXTS),
                "image": chance.choice(gallery),
                "grade": chance.randrange(4),
            }
            status, said = page.ask("POST", CALL, json.dumps(call | {"data": data}).encode(), LONGEST)
            assert (status, json.loads(said)) == (200, {"kept": "human"}), said
            return "grade"

        done = press(
            {
                look: 8, thumbnail: 24, search: 12, refused: 2, grade: 8,
                lambda chance: upload(chance, chance.choice(pictures)): 6,
                lambda chance: upload(chance, large): 1,
            }
        )  # fmt: skip
        assert page.peak() < MOST, f"{page.peak():,} bytes"
        assert done["large upload"], "large pictures were among them"
        print(f"search page: {sum(done.values()):,} answers, {page.peak() / 1e6:,.0f} MB")
    kept = read_judgements(tmp_path / "data" / "judgements.csv")
    assert len(kept) == done["grade"], "every grade is kept, once"


def test_the_judging_page_bears_fifty_clients(tmp_path: Path, gallery: list[str]) -> None:
    heavy = bomb()
    first = Artifacts(tmp_path).manifest
    with served(tmp_path, "judge", "human", "--by", "Ann") as page:
        token = re.findall(rb'name="token" value="([^"]+)"', page.ask("GET", "/")[1])[0].decode()

        def look(chance: random.Random) -> str:
            status, html = page.ask("GET", "/", seconds=LONGEST)
            assert status == 200 and b"Judging" in html
            return "page"

        def shown(chance: random.Random) -> str:
            status, content = page.ask("GET", f"/image/{chance.choice(gallery)}", seconds=LONGEST)
            assert (status, content[:2]) == (200, b"\xff\xd8")
            return "picture"

        def answer(chance: random.Random) -> str:
            html = page.ask("GET", "/", seconds=LONGEST)[1].decode()
            fields = dict(re.findall(r'name="(query|image)" value="([^"]+)"', html))
            wanted = (
                {"grade": str(chance.randrange(4))}
                if fields and chance.random() < 0.6
                else {"action": "undo"}
            )
            body = urlencode({"token": token, **fields, **wanted}).encode()
            assert page.ask("POST", "/answer", body, LONGEST)[0] == 303
            return wanted.get("action", "grade")

        def upload(chance: random.Random) -> str:
            assert page.ask("POST", "/answer", heavy[:200_000], LONGEST)[0] == 413
            return "upload"

        done = press({look: 3, shown: 8, answer: 4, upload: 1})
        assert page.peak() < MOST, f"{page.peak():,} bytes"
        print(f"judging page: {sum(done.values()):,} answers, {page.peak() / 1e6:,.0f} MB")
    assert first.is_file() and done["grade"] and done["undo"]
    assert len(read_judgements(tmp_path / "data" / "judgements.csv")) <= done["grade"]
