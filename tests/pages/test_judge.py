"""Judging: the pool, the file, the page, the terminal and the model."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml
from PIL import Image

from tests.support.chat_server import KEY, ChatServer
from text2image.base.console import InputError
from text2image.commands.judge import main, person, read_suspicion, summary
from text2image.formats.texts import query_id
from text2image.pages.judge.page import MAX_BODY, MAX_SIDE, Page
from text2image.pages.judge.terminal import judge_in_terminal
from text2image.params import Params, load_params
from text2image.queries.judgements import JudgementRow, append_judgements, read_judgements, take_back_last
from text2image.queries.judging.model import judge_by_model, model_judge
from text2image.queries.judging.pool import PooledQuery, Progress, most_suspicious_first, pool, progress
from text2image.queries.judging.session import Session

REPOSITORY = Path(__file__).parents[2]
EVIL = "<img src=x onerror=alert(1)> & 'hat'"
SHOE, HAT = query_id("red shoe"), query_id(EVIL)
POOL = [PooledQuery(SHOE, "red shoe", ("a", "b")), PooledQuery(HAT, EVIL, ("b", "c"))]
HEADER = "source,query,image_id,relevance,by,note\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep locks and answers out of the repository's cache."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judgements.csv"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Three images of the gallery, one of them larger than the page shows."""
    for number, name in enumerate("abc"):
        Image.new("RGB", (1000 if name == "a" else 40, 30), (number * 80, 0, 0)).save(
            tmp_path / f"{name}.png"
        )
    return {name: tmp_path / f"{name}.png" for name in "abc"}


def session(path: Path, by: str = "Ann") -> Session:
    return Session("human", by, POOL, path)


# --- the pool ---


def test_the_pool_is_the_top_of_every_run_and_what_is_held_relevant() -> None:
    runs = [
        {"q2": [("e", 0.9), ("d", 0.8), ("a", 0.7)], "q1": [("b", 0.9), ("c", 0.1)]},
        {"q2": [("e", 0.9), ("f", 0.2)]},
    ]
    held = [{"q2": {"z": 2}, "left out": {"x": 2}}, {"q1": ("a",), "q2": ("z", "y")}]
    assert pool({"q2": "two", "q1": "one"}, held, runs, depth=2) == [
        PooledQuery("q2", "two", ("d", "e", "f", "y", "z")),
        PooledQuery("q1", "one", ("a", "b", "c")),
    ]


def test_progress_counts_queries_and_images() -> None:
    assert progress(POOL, {}) == Progress(0, 2, 0, 4)
    assert progress(POOL, {(SHOE, "a"): 0, (SHOE, "b"): 3, (HAT, "b"): 1, (HAT, "x"): 1}) == (1, 2, 3, 4)
    assert str(Progress(37, 240, 412, 1180)) == "37 of 240 queries, 412 of 1,180 images"


def test_queries_with_suspicious_labels_come_first(tmp_path: Path) -> None:
    queries = [PooledQuery(query_id(text), text, ()) for text in ("one", "two", "three", "four")]
    audit = tmp_path / "audit.csv"
    audit.write_text(
        "image_id,text,suspicion,speaks_against\na,one,0.99,model\na,two,0.2,label\nb,two,0.6,label\na,FOUR,0.7,label\n"
    )
    ordered = most_suspicious_first(queries, read_suspicion(audit))
    assert [query.text for query in ordered] == ["four", "two", "one", "three"]
    assert read_suspicion(tmp_path / "none.csv") == {}


# --- the file ---


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


# --- one judge's way ---


def test_a_session_resumes_where_the_file_says(path: Path) -> None:
    first = session(path)
    assert first.judge(SHOE, "a", 2, " good\none ")
    assert path.read_text() == f"{HEADER}human,red shoe,a,2,Ann,good one\n"
    turn = session(path).turn()
    assert turn is not None and (turn.query.query_id, turn.image_id, turn.grades) == (SHOE, "b", {"a": 2})
    other = session(path, by="Bo").turn()
    assert other is not None and other.image_id == "a"


def test_a_grade_counts_once_and_only_for_the_pool(path: Path) -> None:
    one = session(path)
    assert one.judge(SHOE, "a", 2)
    assert not one.judge(SHOE, "a", 0)
    assert not one.judge(SHOE, "c", 2)
    assert not one.judge("q0", "a", 2)
    assert not one.judge(SHOE, "b", 4)
    assert [row.relevance for row in read_judgements(path)] == [2]


def test_undo_goes_back_one_by_one_and_into_skipped_queries(path: Path) -> None:
    one = session(path)
    one.judge(SHOE, "a", 2)
    one.skip(SHOE)
    one.judge(HAT, "b", 1)
    one.judge(HAT, "c", 1)
    assert one.turn() is None
    undone = [one.undo() for _ in range(4)]
    assert [row and (row.query, row.image_id) for row in undone] == [
        (EVIL, "c"),
        (EVIL, "b"),
        ("red shoe", "a"),
        None,
    ]
    turn = one.turn()
    assert turn is not None and turn.image_id == "a" and path.read_text() == HEADER


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


# --- the command ---


@pytest.fixture
def project(tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the pipeline leaves it: of the query's label "b", judgements left nothing in the qrels."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"]["images"] = "."
    params["judge"] |= {"by": "Ann", "depth": 1}
    contents = {
        "params.yaml": yaml.safe_dump(params),
        "data/manifest.csv": "image_id,path\n" + "".join(f"{name},{name}.png\n" for name in files),
        "data/labels/human.csv": f"image_id,text\nb,red shoe\na,{EVIL}\n",
        "data/queries/human.tsv": f"{HAT}\t{EVIL}\n{SHOE}\tred shoe\n",
        "data/qrels/human.qrels": f"{SHOE} 0 c 2\n",
        "data/runs/builtin/human.run": f"{SHOE} Q0 a 1 0.9 builtin\n{SHOE} Q0 z 2 0.8 builtin\n",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_pools_what_the_pipeline_left(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter("230")
    monkeypatch.setattr("sys.argv", ["judge", "human", "--terminal"])
    monkeypatch.setattr(
        "text2image.pages.judge.terminal.judge_in_terminal.__defaults__", (lambda _: next(typed), print)
    )
    main()
    rows = [(row.query, row.image_id, row.relevance, row.by) for row in read_judgements()]
    assert rows == [("red shoe", image, grade, "Ann") for image, grade in zip("abc", (2, 3, 0), strict=True)]
    assert "judge human: 3 images judged for a query, 3 by people, 0 by models" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data/runs/builtin/human.run", None, r"data/runs/builtin/human\.run.*`dvc repro`"),
        ("data/qrels/human.qrels", f"{SHOE} 0 gone 2\n", "found gone; run `dvc repro`"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | None, message: str
) -> None:
    monkeypatch.setattr("sys.argv", ["judge", "human", "--terminal"])
    if content is None:
        (project / name).unlink()
    else:
        (project / name).write_text(content)
    with pytest.raises(InputError, match=message):
        main()


def test_the_source_must_be_listed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["judge", "../human"])
    with pytest.raises(InputError, match=r"label\.sources"):
        main()


# --- the page ---


@pytest.fixture
def page(path: Path, files: dict[str, Path]) -> Iterator[Page]:
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
    assert status == 200 and "<h1>red shoe</h1>" in html.decode()
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
    assert "<h1>&lt;img src=x onerror=alert(1)&gt; &amp; &#x27;hat&#x27;</h1>" in html
    assert "onerror=alert(1)>" not in html
    for image in ("b", "c"):
        answer(page, query=HAT, image=image, grade="0")
    assert "judge the skipped (1)" in ask(page, "GET", "/")[2].decode()
    answer(page, action="again")
    assert "<h1>red shoe</h1>" in ask(page, "GET", "/")[2].decode()


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
    (tmp_path / "b.png").write_bytes(b"no longer an image")
    assert ask(page, "GET", "/image/b")[0] == 404


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


def test_a_port_in_use_is_one_sentence(page: Page, path: Path, files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="expected to listen at"):
        Page(session(path), files, "127.0.0.1", page.server_port)


# --- the terminal ---


def test_judging_in_the_terminal(path: Path, files: dict[str, Path]) -> None:
    typed = iter(["3 fits", "7", "u", "1", "s", "0", "q"])
    told: list[str] = []
    judge_in_terminal(session(path), files, lambda _: next(typed), told.append)
    assert [(row.query, row.image_id, row.relevance, row.note) for row in read_judgements(path)] == [
        ("red shoe", "a", 1, ""),
        (EVIL, "b", 0, ""),
    ]
    assert "query  red shoe" in told and f"image  {files['a']}" in told
    assert "expected 0, 1, 2, 3, u, s or q, found '7'" in told and "taken back: 3 for red shoe" in told


def test_the_terminal_ends_with_the_input_or_the_pool(path: Path, files: dict[str, Path]) -> None:
    def end(_: str) -> str:
        raise EOFError

    judge_in_terminal(session(path), files, end, lambda _: None)
    told: list[str] = []
    judge_in_terminal(session(path), files, lambda _: "0", told.append)
    assert told[-1] == "nothing left to judge" and len(read_judgements(path)) == 4


# --- the model ---


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServer() as running:
        running.script.content = lambda image: 'So: {"x": 1} {"reason": "fits\\nwell", "grade": 2}'
        yield running


def model_params(tmp_path: Path, server: ChatServer, **judge: object) -> Params:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    prices = {"price_input_per_million": 0.4, "price_output_per_million": 1.6, "max_tokens": 300}
    params["label"]["openai"] |= {"model": server.model, "base_url": server.base_url, **prices}
    params["judge"] |= judge
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return load_params(tmp_path / "params.yaml")


def test_a_model_grades_what_it_has_not_graded(
    tmp_path: Path, path: Path, files: dict[str, Path], server: ChatServer
) -> None:
    params = model_params(tmp_path, server)
    judge = session(path, by=model_judge(params))
    session(path).judge(SHOE, "a", 0)
    judge_by_model(judge, files, params)
    graded = [
        JudgementRow("human", q.text, i, 2, "model:test-model", "fits well") for q in POOL for i in q.images
    ]
    assert read_judgements(path)[1:] == graded
    assert len(server.log) == 4
    judge_by_model(judge, files, params)
    assert len(read_judgements(path)) == 5
    path.unlink()
    judge_by_model(judge, files, params)
    assert read_judgements(path) == graded and len(server.log) == 4
    judge_by_model(judge, files, model_params(tmp_path, server, prompt="Other"))
    assert len(server.log) == 4  # what it has judged, it has judged
    path.unlink()
    judge_by_model(judge, files, model_params(tmp_path, server, prompt="Other"))
    assert len(server.log) == 8


def test_the_model_is_told_the_rubric_and_the_query(
    tmp_path: Path, path: Path, files: dict[str, Path], server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    check = server.check_chat

    def listen(body: dict[str, object]) -> str:
        text = body["messages"][0]["content"][0]["text"]  # type: ignore[index]
        asked.append((text, json.dumps(body["response_format"])))
        return check(body)

    monkeypatch.setattr(server, "check_chat", listen)
    params = model_params(tmp_path, server, prompt="The rubric.")
    judge_by_model(session(path, by=model_judge(params)), files, params)
    texts = sorted(text for text, _ in asked)
    queries = (EVIL, EVIL, "red shoe", "red shoe")
    assert texts == [f"The rubric.\nSearch query: {json.dumps(query)}" for query in queries]
    assert all('"enum": [0, 1, 2, 3]' in form for _, form in asked)


@pytest.mark.parametrize(
    "said", ['{"reason": "x", "grade": 4}', '{"reason": "x", "grade": true}', "2", {"refusal": "no"}]
)
def test_answers_without_a_grade_are_said_and_not_asked_again(
    tmp_path: Path, path: Path, files: dict[str, Path], server: ChatServer, said: object,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    server.script.content = lambda image: said
    params = model_params(tmp_path, server)
    for _ in range(2):
        judge_by_model(session(path, by=model_judge(params)), files, params)
    assert not path.exists() and len(server.log) == 4
    assert re.search(
        r"0 grades by model:test-model, 4 images without one \((refused|malformed answer)\)",
        capsys.readouterr().err,
    )


def test_the_budget_ends_the_run_and_keeps_what_came(
    tmp_path: Path, path: Path, files: dict[str, Path], server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    params = model_params(tmp_path, server, budget_usd=0.0012)
    judge_by_model(session(path, by=model_judge(params)), files, params)
    assert 0 < len(read_judgements(path)) < 4
    assert "stopped before judge.budget_usd 0.0012 would be exceeded" in capsys.readouterr().err


def test_an_error_of_the_server_keeps_what_came(
    tmp_path: Path, path: Path, files: dict[str, Path], server: ChatServer
) -> None:
    server.script.outcome = lambda image, attempt: 400 if len(server.log) > 2 else None
    params = model_params(tmp_path, server)
    runtime = params.runtime.openai.model_copy(update={"concurrency": 1})
    params = params.model_copy(update={"runtime": params.runtime.model_copy(update={"openai": runtime})})
    with pytest.raises(InputError, match="status 400"):
        judge_by_model(session(path, by=model_judge(params)), files, params)
    assert len(read_judgements(path)) == 3
