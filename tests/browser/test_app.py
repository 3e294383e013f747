"""The search page: the real server, in a real browser that reaches no network."""

import csv
import http.client
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.conftest import Finished
from tests.support.banners import ATTACK as WRITTEN_ATTACK
from tests.support.banners import BANNERS, add_banners
from tests.support.browser import needs_chromium
from tests.support.pipeline import Project
from tests.support.playwright_browser import browser_page
from text2image.formats.tables import read_csv
from text2image.pages.search.annotations import SEARCH
from text2image.pages.search.guard import MAX_CALL
from text2image.queries.judgements import JudgementRow, read_judgements

ATTACK = '<img src=x onerror="window.hit=1">'
UPLOADED = "data/images/0/photo 0.jpg"
CALL = "/gradio_api/component_server/"


class Served(NamedTuple):
    """A project with several systems whose page is served."""

    project: Project
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def labels(self) -> list[dict[str, str]]:
        return read_csv(self.project.root / "data" / "labels" / "human.csv", ["image_id", "text"])

    def judgements(self) -> list[JudgementRow]:
        return read_judgements(self.project.root / "data" / "judgements.csv")

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str | None) -> tuple[int, bytes]:
        """Send a request as the page itself would; a header of None is left out."""
        own = {"Host": f"127.0.0.1:{self.port}", "Origin": self.url[:-1], "Content-Type": "application/json"}
        wanted = own | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if body and "Content-Length" not in wanted:
                wanted["Content-Length"] = str(len(body))
            for name, value in wanted.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Add a second model, which reads only the first words of a text, banners, and a label that attacks; serve the page."""
    project = finished.project.copy(tmp_path_factory.mktemp("app") / "project")
    builtin = {"name": "local-dir:data/models/builtin", "pretrained": None}
    project.set(
        models__short=builtin | {"context_length": 3},
        embed__models=["builtin", "short"],
        retrieve__fields=["ocr"],
        retrieve__systems=["builtin", "short", "words", "both"],
        systems__both__weights={"builtin": 0.5, "words": 0.5},
    )
    add_banners(project)
    with (project.root / "labels.csv").open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(["1/photo 1.jpg", ATTACK])
    project.repro()
    with subprocess.Popen(
        [sys.executable, "-m", "text2image.cli", "app", "--by", "Ann"], cwd=project.root, env=project.environment(),
        stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stderr is not None
        said = ""
        while not (found := re.search(r"^search at http://127\.0\.0\.1:(\d+)/ .*\n\Z", said, re.MULTILINE)):
            line = server.stderr.readline()
            assert line, said
            said += line
        yield Served(project, int(found[1]))
        server.send_signal(signal.SIGINT)
        rest = server.stderr.read()
    assert "Traceback" not in rest, rest


@pytest.fixture(scope="module")
def opened(served: Served) -> Iterator[tuple[Page, list[str]]]:
    """The page in a browser."""
    with browser_page() as (page, heard):
        page.goto(served.url)
        yield page, heard


def search(page: Page, text: str) -> None:
    """Type a query and wait for its answer."""
    page.locator(".query").get_by_role("textbox").fill(text)
    page.keyboard.press("Enter")
    page.wait_for_function("text => document.querySelector('.answer')?.dataset.query === text", arg=text)


def show_all(page: Page) -> None:
    """Have all images shown: two more than there are at first."""
    page.get_by_text("Show more").click()
    page.get_by_text("Show more").wait_for(state="detached")


def first(page: Page, system: str) -> str | None:
    return page.locator(f'[data-system="{system}"] .card').first.get_attribute("data-image")


@needs_chromium
@pytest.mark.pipeline
def test_the_right_picture_comes_first_and_says_why(served: Served, opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    expect(page.locator(".card").first).to_be_visible()
    assert page.locator(".answer").get_attribute("data-query"), "an example is there on arrival"
    results = read_csv(served.project.root / "data/results/builtin/human.csv", ["text", "best_rank"])
    right = [row["text"] for row in results if row["best_rank"] == "1"][:3]
    assert len(right) == 3
    for text in right:
        search(page, text)
        carriers = {row["image_id"] for row in served.labels() if row["text"] == text}
        assert first(page, "builtin") in carriers
        card = page.locator('[data-system="builtin"] .card').first
        expect(card.locator(".tick")).to_have_text("✓ relevant")
        expected = page.locator('[data-system="builtin"] .expected .group li').first
        shown = card.locator(".score").inner_text()
        expect(expected).to_contain_text(f"#1 {shown}")
        card.get_by_text("why", exact=True).click()
        expect(card.locator(".why")).to_contain_text(f"{text} ✓")
        expect(card.locator(".why")).to_contain_text(
            "counted as relevant, grade 2, since it carries the text"
        )
        assert card.locator(".why img").first.evaluate(
            "image => image.decode().then(() => image.naturalWidth)"
        )
    page.locator(".chip").nth(1).click()
    page.wait_for_function("text => document.querySelector('.answer')?.dataset.query !== text", arg=right[-1])
    show_all(page)
    assert heard == []


@needs_chromium
@pytest.mark.pipeline
def test_two_systems_stand_side_by_side(served: Served, opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    search(page, "a small photograph of the crimson strawberry")
    show_all(page)
    assert [column.inner_text() for column in page.locator("h2").all()] == ["builtin", "short"]
    orders = {
        system: [
            card.get_attribute("data-image") for card in page.locator(f'[data-system="{system}"] .card').all()
        ]
        for system in ("builtin", "short")
    }
    assert sorted(map(str, orders["builtin"])) == sorted(map(str, orders["short"]))
    assert orders["builtin"] != orders["short"], "three tokens are less than the whole text"
    for system, other in (("builtin", "short"), ("short", "builtin")):
        for place in (0, -1):
            line = page.locator(f'[data-system="{system}"] .card').nth(place).locator(".other").inner_text()
            assert line == f"#{orders[other].index(orders[system][place]) + 1} in {other}"
    page.get_by_label("beside it").click()
    page.get_by_role("option", name="none").click()
    expect(page.locator("h2")).to_have_count(1)
    page.get_by_label("beside it").click()
    page.get_by_role("option", name="short").click()
    expect(page.locator("h2")).to_have_count(2)
    assert heard == []


@needs_chromium
@pytest.mark.pipeline
def test_a_click_keeps_a_judgement(served: Served, opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    before = served.judgements()
    text = served.labels()[0]["text"]
    search(page, text.upper())
    for grade in (1, 3):
        card = page.locator(".card").nth(1)
        card.get_by_role("button", name=f"grade {grade}").click()
        expect(card.locator('[aria-pressed="true"]')).to_have_text(str(grade))
        expect(card.locator("output")).to_have_text("✓ kept")
    search(page, "=what nobody asks")
    page.locator(".card").first.get_by_role("button", name="grade 0").click()
    expect(page.locator(".card").first.locator("output")).to_have_text("✓ kept")
    kept = served.judgements()[len(before) :]
    assert [(row.source, row.query, row.relevance, row.by) for row in kept] == [
        ("human", text, 1, "Ann"), ("human", text, 3, "Ann"), (SEARCH, "=what nobody asks", 0, "Ann"),
    ]  # fmt: skip
    assert "'=what" in (served.project.root / "data/judgements.csv").read_text(), "no spreadsheet runs it"
    search(page, text)
    graded = page.locator(f'[data-system="builtin"] [data-image="{kept[1].image_id}"]')
    expect(graded.locator('[aria-pressed="true"]')).to_have_text("3")
    graded.get_by_text("why", exact=True).click()
    expect(graded.locator(".why")).to_contain_text("judged 3, exactly what was asked for, by Ann")
    assert heard == []


@needs_chromium
@pytest.mark.pipeline
def test_texts_stay_texts(served: Served, opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    search(page, ATTACK)
    image = next(row["image_id"] for row in served.labels() if row["text"] == ATTACK)
    card = page.locator(f'[data-system="builtin"] [data-image="{image}"]')
    card.get_by_text("why", exact=True).click()
    expect(card.locator(".why")).to_contain_text(f"{ATTACK} ✓")
    expect(page.locator(".chip").get_by_text(ATTACK).or_(card.get_by_text(ATTACK)).first).to_be_visible()
    for text in (f"'\"`${{1+1}}{{{{value}}}}{ATTACK}", "</div><script>window.hit=1</script>"):
        search(page, text)
    for text in ("/etc/passwd", "data/images/1/photo 1.jpg", "params.yaml", "../labels.csv"):
        search(page, text)
        expect(page.locator(".about")).to_contain_text("No label source asks this text")
    page.locator(".query").get_by_role("textbox").fill(" \u200b ")
    page.keyboard.press("Enter")
    expect(page.locator(".problem")).to_contain_text("nothing visible")
    assert page.evaluate("window.hit") is None
    assert page.locator('img[src="x"]').count() == 0
    assert heard == []


def choose(page: Page, name: str) -> None:
    """Choose the second system."""
    page.get_by_label("beside it").click()
    page.get_by_role("option", name=name, exact=True).click()
    page.locator(f'[data-system="{name}"]').wait_for()


def picture_of(page: Page, served: Served, system: str, path: str) -> Locator:
    """The card of a file's picture."""
    rows = read_csv(served.project.root / "data" / "catalog.csv", ["path", "image_id"])
    image = next(row["image_id"] for row in rows if row["path"] == path)
    return page.locator(f'[data-system="{system}"] .card[data-image="{image}"]')


def drawn_area(picture: Locator, size: tuple[int, int], area: tuple[float, ...]) -> list[float]:
    """Return where an area of an image lies on the page, whose element shows all of it in its middle."""
    left, top, width, height = picture.evaluate(
        "element => { const r = element.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; }"
    )
    scale = min(width / size[0], height / size[1])
    left, top = left + (width - size[0] * scale) / 2, top + (height - size[1] * scale) / 2
    return [offset + place * scale for place, offset in zip(area, (left, top, left, top), strict=True)]


@needs_chromium
@pytest.mark.pipeline
def test_matched_words_are_marked_where_they_stand(served: Served, opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    search(page, "summer sale")
    choose(page, "words")
    for path in ("0/sale.png", "1/strip.png"):
        banner, card = BANNERS[path], picture_of(page, served, "words", path)
        for where in (".picture", ".marked"):
            if where == ".marked":
                card.get_by_text("why", exact=True).click()
            picture = card.locator(f"{where} img")
            picture.scroll_into_view_if_needed()
            picture.evaluate("image => image.decode()")
            [mark] = card.locator(f"{where} .marks g").all()
            assert mark.get_attribute("aria-label") == "SUMMER SALE", "both words, side by side, and no more"
            found = mark.locator("polygon:not(.casing)").evaluate(
                "element => { const r = element.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; }"
            )
            right = drawn_area(picture, banner.size, banner.area("SUMMER SALE"))
            whole = drawn_area(picture, banner.size, (0, 0, *banner.size))
            scale = (whole[2] - whole[0]) / banner.size[0]
            assert found == pytest.approx(right, abs=banner.height * scale / 2), (path, where)
            assert found[0] >= whole[0] - 1 and found[1] >= whole[1] - 1, (path, where)
            assert found[2] <= whole[2] + 1 and found[3] <= whole[3] + 1, (path, where)
        expect(card.locator(".why")).to_contain_text("SUMMER SALE")
        assert [mark.inner_text() for mark in card.locator(".why mark").all()] == ["SUMMER SALE"]
    winter = picture_of(page, served, "words", "1/winter.png")
    assert winter.locator(".marks").count() == 0
    assert heard == []


@needs_chromium
@pytest.mark.pipeline
def test_shares_of_a_fused_score_are_bars(served: Served, opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    search(page, "quiet winter boots")
    choose(page, "both")
    card = page.locator('[data-system="both"] .card').first
    assert card.get_attribute("data-image") == picture_of(page, served, "both", "1/winter.png").get_attribute(
        "data-image"
    )
    shares = card.locator("> .shares")
    assert shares.locator("dt").all_inner_texts() == ["builtin", "words"]
    numbers = [float(text.replace("−", "-")) for text in shares.locator("b").all_inner_texts()]
    assert sum(numbers) == pytest.approx(float(card.locator(".score").inner_text()), abs=0.011)
    widths = shares.locator(".share").evaluate_all(
        "bars => bars.map(bar => bar.getBoundingClientRect().width)"
    )
    assert widths[1] > widths[0], "these words are on the picture"
    assert widths[0] / widths[1] == pytest.approx(abs(numbers[0]) / numbers[1], abs=0.02)
    assert heard == []


@needs_chromium
@pytest.mark.pipeline
def test_hostile_words_on_a_picture_stay_text(served: Served, opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    search(page, "img src onerror hit")
    choose(page, "words")
    card = picture_of(page, served, "words", "0/attack.png")
    assert card.locator(".marks g").first.get_attribute("aria-label"), "it is read, found and marked"
    card.get_by_text("why", exact=True).click()
    expect(card.locator(".why")).to_contain_text(WRITTEN_ATTACK)
    assert page.locator('img[src="x"]').count() == 0
    assert page.evaluate("window.hit") is None
    assert heard == []


@needs_chromium
@pytest.mark.pipeline
def test_a_choice_of_a_system_asks_once(opened: tuple[Page, list[str]]) -> None:
    """A second answer, which came later, took the place of what was asked meanwhile: of a picture that was sent."""
    page, heard = opened
    choose(page, "words")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "queue/join" in request.url else None)
    choose(page, "both")
    page.wait_for_timeout(500)
    assert len(asked) == 1
    assert heard == []


@needs_chromium
@pytest.mark.pipeline
def test_a_picture_is_compared_by_what_sees(served: Served, opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    for system, said in (
        ("words", "searches in words alone"),
        ("both", "A picture has no words: answered by builtin"),
    ):
        choose(page, system)
        page.set_input_files("input[type=file]", served.project.root / UPLOADED)
        expect(page.locator(".query-picture")).to_be_visible()
        expect(page.locator(f'[data-system="{system}"] .untested')).to_contain_text(said)
    expect(page.locator('[data-system="both"] .card .score').first).to_have_text("1.000")
    choose(page, "short")
    assert heard == []


@needs_chromium
@pytest.mark.pipeline
def test_a_picture_finds_itself(served: Served, opened: tuple[Page, list[str]], tmp_path: Path) -> None:
    page, heard = opened
    page.set_input_files("input[type=file]", served.project.root / UPLOADED)
    expect(page.locator(".query-picture")).to_be_visible()
    card = page.locator(".card").first
    expect(card.locator(".score")).to_have_text("1.000")
    assert card.locator("[data-grade]").count() == 0, "a picture is no query to judge"
    card.get_by_text("why", exact=True).click()
    expect(card.locator("figcaption")).to_contain_text(UPLOADED.removeprefix("data/images/"))
    assert heard == []
    (tmp_path / "text.jpg").write_text("not a picture")
    page.set_input_files("input[type=file]", tmp_path / "text.jpg")
    expect(page.locator(".bar output")).to_have_text("not an image")
    assert all("415" in line for line in heard), "the browser notes that the picture was refused, and no more"
    heard.clear()


@pytest.mark.pipeline
def test_only_pictures_of_the_catalog_are_served(served: Served) -> None:
    image = served.labels()[0]["image_id"]
    status, content = served.ask("GET", f"/image/{image}?side=320", Origin=None)
    assert status == 200
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) <= 320
    root = served.project.root
    for outside in (
        f"/image/{image}?side=100000", "/image/", "/image/0000000000000000", "/image/../params.yaml",
        "/image/..%2f..%2fparams.yaml", "/image/%2e%2e/params.yaml", "/image/%252e%252e%252fparams.yaml",
        "/image//etc/passwd", "/image/%2fetc%2fpasswd", "/assets/../../../../../../etc/passwd",
        "/static/..%2f..%2f..%2froutes.py", "/params.yaml", "/data/catalog.csv",
        "/gradio_api/file=/etc/passwd", f"/gradio_api/file={root}/params.yaml", "/gradio_api/file=params.yaml",
        f"/gradio_api/file={root}/{UPLOADED.replace(' ', '%20')}", "/gradio_api/file=http://127.0.0.1/",
        "/file=/etc/passwd", "/gradio_api/file/etc/passwd", "/gradio_api/proxy=http://127.0.0.1/",
        "/assets/../gradio_api/file=/etc/passwd", "/assets/%2e%2e/gradio_api/file=/etc/passwd",
        "/gradio_api/info", "/gradio_api/openapi.json", "/config", "/monitoring", "/gradio_api/upload_progress",
    ):  # fmt: skip
        status, content = served.ask("GET", outside, Origin=None)
        assert status in {404, 422}, outside
        assert b"root:" not in content
        assert b"embed:" not in content


class Grading(NamedTuple):
    """The call with which the page keeps a grade: what it says, and its whole body."""

    grade: dict[str, object]
    body: bytes

    def with_data(self, data: object) -> bytes:
        return json.dumps(json.loads(self.body) | {"data": data}).encode()


@pytest.fixture
def grading(served: Served) -> Grading:
    grade: dict[str, object] = {"query": "a shoe", "image": served.labels()[0]["image_id"], "grade": 3}
    page = served.ask("GET", "/", Origin=None)[1]
    config = json.loads(re.findall(rb"window\.gradio_config = (.*?);</script>", page)[0])
    judge = next(
        part["id"] for part in config["components"] if "judge" in part["props"].get("server_fns", ())
    )
    call = {"data": grade, "component_id": judge, "fn_name": "judge", "session_hash": "s"}
    return Grading(grade, json.dumps(call).encode())


@pytest.mark.pipeline
def test_nobody_else_is_answered(served: Served, grading: Grading) -> None:
    before, body = served.judgements(), grading.body
    for name in ("evil.example", f"evil.example:{served.port}", "127.0.0.1.evil.example", "[::1", ""):
        for method, path in (
            ("GET", "/"),
            ("GET", f"/image/{grading.grade['image']}"),
            ("POST", CALL),
            ("POST", "/picture"),
        ):
            status = served.ask(
                method, path, body if method == "POST" else b"", Host=name, Origin=f"http://{name}"
            )[0]
            assert status == 421, (name, path)
    for origin in (
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        f"http://localhost:{served.port}",
        None,
    ):
        for path in (CALL, "/gradio_api/queue/join", "/picture"):
            assert served.ask("POST", path, body, Origin=origin)[0] == 403, origin
    assert served.ask("POST", CALL, body, Sec_Fetch_Site="cross-site")[0] == 403
    assert (
        served.ask("GET", f"/image/{grading.grade['image']}", Sec_Fetch_Site="same-site", Origin=None)[0]
        == 403
    )
    assert served.ask("GET", "/", Sec_Fetch_Site="cross-site", Origin=None)[0] == 200, "a link to the page"
    assert served.judgements() == before


@pytest.mark.pipeline
def test_only_the_calls_of_the_page_are_taken(served: Served, grading: Grading) -> None:
    before, body = served.judgements(), grading.body
    for closed in ("/gradio_api/upload", "/gradio_api/run/search", "/gradio_api/call/search", "/login"):
        assert served.ask("POST", closed, body)[0] == 404
    assert served.ask("DELETE", "/")[0] == 404
    assert served.ask("POST", CALL, Content_Length=str(MAX_CALL + 1))[0] == 413
    assert served.ask("POST", CALL)[0] == 411
    assert served.ask("POST", CALL, Transfer_Encoding="chunked")[0] == 411
    file = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    calls: list[Any] = [
        {"data": [file, "builtin", "none"]},
        {"data": grading.grade | {"query": file}},
        {},
        [],
        {"data": [[file]]},
    ]
    for call in calls:
        assert served.ask("POST", "/gradio_api/queue/join", json.dumps(call).encode())[0] == 400, call
    for wrong in (
        {"grade": 4},
        {"grade": "3"},
        {"image": "0" * 16},
        {"image": "../x"},
        {"query": " "},
        {"query": "x" * 501},
    ):
        bad = grading.with_data(grading.grade | wrong)
        assert b"error" in served.ask("POST", CALL, bad)[1], wrong
    assert served.judgements() == before
    status, answer = served.ask("POST", CALL, body)
    assert (status, json.loads(answer)) == (200, {"kept": SEARCH}), (
        "the same call is good from the page itself"
    )
    assert len(served.judgements()) == len(before) + 1


@pytest.mark.pipeline
def test_what_cannot_start_is_one_sentence(served: Served) -> None:
    def refusal(*arguments: str, **env: str) -> str:
        said = served.project.run("python", "-m", "text2image.cli", "app", *arguments, check=False, env=env)
        assert said.startswith("error: "), said
        assert said.count("\n") == 1, said
        return said

    assert f"port {served.port}" in refusal("--port", str(served.port))
    assert "the name of a person" in refusal("--by", "model:x")
