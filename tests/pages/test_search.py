"""What the search page shows of results: exact ranks, why they are there, pictures of the catalog alone."""

import asyncio
import errno
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from tests.support.markup import Elements
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.collection.images import identify, image_id
from text2image.collection.manifest import ImageFile
from text2image.formats.fields import FieldText
from text2image.formats.files import write_json
from text2image.formats.tables import write_csv
from text2image.formats.texts import query_id
from text2image.labels.openai.encode import jpeg
from text2image.pages.placeholder import placeholder
from text2image.pages.search.annotations import SEARCH, Annotations, judgements_of, new_judgements
from text2image.pages.search.explanation import SHOWN, Explainer, rank_group
from text2image.pages.search.guard import receive_body
from text2image.pages.search.pictures import SMALL, UPLOADS, Thumbnails, Uploads
from text2image.pages.search.searcher import Found, RankedImage, image_path
from text2image.pages.search.service import VIEW, SearchResponse, label_findings
from text2image.pages.search.why import LISTED, TEXT, as_json, in_short, marks, pieces
from text2image.queries.judgements import JudgementRow
from text2image.retrieval.ranking import top_k
from text2image.retrieval.scores import sort_keys
from text2image.retrieval.systems.scorer import Match, Part, Why


def test_only_files_are_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sofa", "sofa.jpg"):
        Path(name).touch()
    assert image_path("sofa") is None, "a word is a query, even where a file is called so"
    assert image_path("sofa.jpg") == Path("sofa.jpg")
    assert image_path("./sofa.jpg") == Path("sofa.jpg")
    assert image_path("no 5.5 perfume") is None
    assert image_path("a/" + "long " * 1000) is None
    assert image_path("nul\0/l.jpg") is None


def test_findings_that_are_out_of_date_are_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    circular = {("clip", "imagenet"): "labels and system share resnet"}
    untested = ["imagenet does not test clip: labels and system share resnet"]
    assert label_findings(circular, lambda path: "") == untested, "before the first run"
    write_json(ARTIFACTS.metrics("sources"), {"sources": {"ocr": {"findings": ["3 queries are few"]}}})
    assert label_findings(circular, lambda path: "") == ["ocr: 3 queries are few", *untested]
    assert label_findings(circular, lambda path: "params key evaluate changed") == untested


def test_a_file_that_is_not_the_catalogs_any_more_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png", "gone.png")]
    for path in paths[:3]:
        Image.new("RGB", (40, 20), "red").save(path)
    identity = image_id(paths[0].read_bytes())
    Image.new("RGB", (40, 20), "blue").save(paths[1])
    paths[2].write_text("root:x:0:0")
    for path, shown in zip(paths, (True, False, False, False), strict=True):
        thumbnails = Thumbnails({identity: ImageFile(identity, path)})
        for _ in range(2):
            thumbnail = thumbnails.get(identity, SMALL)
            assert thumbnail is not None and thumbnail.shows_image == shown, path
            place = jpeg(placeholder(), SMALL)
            assert (thumbnail.content == place) != shown, (
                "a picture that says what happened stands in its place"
            )
        assert capsys.readouterr().err.count("run `dvc repro -f -s catalog`") == (not shown), (
            "it is said once"
        )
        assert thumbnails.get("another", SMALL) is None
    assert Thumbnails({identity: ImageFile(identity, paths[0])}).get(identity, 100_000) is None, (
        "a size of nobody's wish"
    )


def test_places_are_exact_ranks_of_the_whole_gallery() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 9, 60).astype(np.float32)  # many ties
    image_ids, keys = [f"{number:03}" for number in range(60)], sort_keys(scores, np.arange(60))
    order = list(top_k(scores[None], 60)[0])
    group = ["007", "031", "059", "absent"]
    found = rank_group(group, keys, image_ids)
    assert found.total == 3
    assert [image.image_id for image in found.shown] == sorted(
        group[:3], key=lambda image: order.index(int(image))
    )
    for image in found.shown:
        assert image.rank == order.index(int(image.image_id)) + 1
        assert image.score == scores[int(image.image_id)]
    many = rank_group(image_ids, keys, image_ids)
    assert (len(many.shown), many.total) == (SHOWN, 60)
    assert [image.rank for image in many.shown] == list(range(1, SHOWN + 1))
    assert rank_group([], keys, image_ids) == ([], 0)


@pytest.fixture(name="annotations")
def known_annotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Annotations:
    """Four images, b and c alike, that two sources label; a query of one of them is left out."""
    monkeypatch.chdir(tmp_path)
    columns = ("path", "image_id", "width", "height", "format", "near_group")
    files = [
        (f"{name}.png", name, 8, 6, "PNG", group) for name, group in zip("abcd", (0, 1, 1, 2), strict=True)
    ]
    write_csv(Path("data/catalog.csv"), columns, files)
    shoe, sale = query_id("red shoe"), query_id("sale")
    labels = {
        "human": [("a", "Red shoe", ""), ("b", "red shoe", ""), ("d", "hat", "")],
        "ocr": [("d", "sale", "0.9")],
    }
    for source, rows in labels.items():
        write_csv(Path(f"data/labels/{source}.csv"), ("image_id", "text", "confidence"), rows)
    Path("data/queries").mkdir()
    Path("data/queries/human.tsv").write_text(f"{shoe}\tRed shoe\n{query_id('hat')}\that\n")
    Path("data/queries/ocr.tsv").write_text(f"{sale}\tsale\n")
    Path("data/qrels").mkdir()
    Path("data/qrels/human.qrels").write_text(
        "".join(f"{shoe} 0 {image} {g}\n" for image, g in zip("abc", "221", strict=True))
    )
    Path("data/qrels/ocr.qrels").write_text("")
    left_out = ("query_id", "text", "reason")
    write_csv(Path("data/qrels/human_left_out.csv"), left_out, [])
    write_csv(Path("data/qrels/ocr_left_out.csv"), left_out, [(sale, "sale", "generic")])
    return Annotations(["human", "ocr"])


def test_annotations_know_the_queries_that_a_text_is(annotations: Annotations) -> None:
    [query] = annotations.queries_of("  RED  shoe")
    assert (query.source, query.text, query.left_out) == ("human", "Red shoe", None)
    assert query.grades == {"a": 2, "b": 2, "c": 1}
    assert query.labelled == {"a", "b"}
    [sale] = annotations.queries_of("sale")
    assert (sale.grades, sale.left_out) == ({}, "generic")
    assert annotations.queries_of("what nobody asks") == []
    assert annotations.near_duplicates("b") == ["c"]
    assert annotations.examples(5) == ["Red shoe"], "only what is searched for"
    Path("data/qrels/ocr.qrels").unlink()
    with pytest.raises(InputError, match=r"expected data/qrels/ocr\.qrels, found no such file"):
        Annotations(["ocr"])


def explain(annotations: Annotations, text: str, judgements: list[JudgementRow]) -> list[str]:
    """The page's details of all images for a query, best first."""
    scores = {
        "x": np.array([0.4, 0.3, 0.2, 0.1], np.float32),
        "y": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    }
    queries = annotations.queries_of(text)
    keys = {system: sort_keys(line, np.arange(4)) for system, line in scores.items()}
    circular = {("x", "human"): "labels and system share resnet"}
    judged = judgements_of(text, judgements)
    explainer = Explainer(annotations, queries, judged, list("abcd"), keys, circular)
    ranked = [RankedImage(rank, 0.5 - rank / 10, image) for rank, image in enumerate("abcd", start=1)]
    found = Found(ranked, [Why()] * 4)
    results = explainer.explain("x", found)
    assert not explainer.explain("y", found).untested
    assert results.untested == [
        "Not a test of x, where even wrong labels of human are found first: labels and system share resnet."
        for query in queries
        if query.source == "human"
    ]
    assert [image.image_id for image in results.expected.shown] == [*"abc"][: results.expected.total]
    assert [result.other_ranks for result in results.results] == [{"y": rank} for rank in (4, 3, 2, 1)]
    return [VIEW.details(result) for result in results.results]


def test_a_result_says_why_it_is_counted_as_relevant(annotations: Annotations) -> None:
    labelled, _, near, other = explain(annotations, "red shoe", [])
    assert "human: counted as relevant, grade 2, since it carries the text" in labelled
    assert "<b><bdi>Red shoe</bdi> ✓</b>" in labelled
    assert (
        "human: counted as relevant, grade 1, as a near-duplicate of an image that carries the text" in near
    )
    assert "Near-duplicates (1)" in near
    assert "human: not counted as relevant" in other
    assert "0.90" in other, "the confidence of what ocr says"
    by_hand = [JudgementRow("human", "Red shoe", "c", 1, "Ann", "a <b>note</b>")]
    judged = explain(annotations, "red shoe", by_hand)[2]
    assert "counted as relevant, grade 1, since it was judged so" in judged
    assert "by <bdi>Ann</bdi>" in judged
    assert ": <bdi>a &lt;b&gt;note&lt;/b&gt;</bdi>" in judged
    assert "not known, and not judged" in explain(annotations, "what nobody asks", [])[0]


def test_of_each_judge_the_last_word_counts_and_a_text_without_a_source_is_kept_under_search(
    annotations: Annotations,
) -> None:
    rows = [
        JudgementRow("human", "red shoe", "a", grade, by, "")
        for grade, by in ((1, "Ann"), (2, "Bob"), (3, "Ann"))
    ]
    judged = judgements_of("Red shoe", [*rows, JudgementRow("human", "hat", "a", 0, "Ann", "")])
    assert {image: [(row.by, row.relevance) for row in kept] for image, kept in judged.items()} == {
        "a": [("Ann", 3), ("Bob", 2)]
    }
    [row] = new_judgements("RED shoe", "a", 3, "Ann", annotations.queries_of("red shoe"))
    assert (row.source, row.query) == ("human", "Red shoe")
    [row] = new_judgements(" cheap  boots", "a", 3, "Ann", [])
    assert (row.source, row.query) == (SEARCH, "cheap boots")


class FullDisk(io.BytesIO):
    def write(self, content: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_upload_that_no_disk_takes_is_one_sentence() -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"a picture", "more_body": False}

    refused = asyncio.run(
        receive_body(Request({"type": "http", "method": "POST", "headers": []}, receive), FullDisk())
    )
    assert refused is not None
    assert (refused.status_code, json.loads(bytes(refused.body))) == (
        507,
        {"error": "expected a disk that takes the picture, found: No space left on device"},
    )


def test_the_last_uploads_are_kept() -> None:
    uploads = Uploads()
    names = [uploads.keep(bytes([number])) for number in range(UPLOADS + 1)]
    assert [uploads.get(name) for name in (names[0], names[1], names[-1], "guessed")] == [
        None, b"\x01", bytes([UPLOADS]), None,
    ]  # fmt: skip


def test_a_picture_must_be_usable(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), "red").save(tmp_path / "red.png")
    assert identify(tmp_path / "red.png", 800).image_id == image_id((tmp_path / "red.png").read_bytes())
    with pytest.raises(InputError, match=r"usable image at .*red\.png, found: too many pixels"):
        identify(tmp_path / "red.png", 799)


def test_the_header_says_what_the_labels_cannot_test() -> None:
    plain = str(VIEW.header(3, ["m"], ["human"], []))
    assert "reservation" not in plain
    weak = str(
        VIEW.header(3, ["m"], ["human"], ["human: 3 <queries> are few", "imagenet does not test m: why"])
    )
    assert "2 reservations about the labels as a test" in weak
    assert "<li>human: 3 &lt;queries&gt; are few</li>" in weak


def test_the_page_says_what_is_out_of_date() -> None:
    said = "What evaluate wrote is out of date, since <b> changed"
    assert "out of date" not in VIEW.header(3, ["m"], ["human"], [])
    header = VIEW.header(3, ["m"], ["human"], [], [said])
    assert "out of date, since &lt;b&gt; changed" in header and 'role="alert"' in header


HOSTILE = (
    '<img src=x onerror="window.hit=1">',
    "'\"><script>window.hit=1</script>",
    "${window.hit=1} {{7*7}} &lt;b&gt;",
    "\u202egnp.exe\u2066 \x1b[31mred\x07 line\nline",
    "sale " * 2000,
)
BOX = ((1, 1), (7, 1), (7, 3), (1, 3))


def matched(text: str, *words: str) -> Match:
    return Match("ocr", FieldText("a", text, 0.91, BOX), words)


def shown_card(annotations: Annotations, *reasons: Why) -> list[str]:
    """The cards of the first images as the page shows them."""
    keys = {"both": sort_keys(np.array([0.4, 0.3, 0.2, 0.1], np.float32), np.arange(4))}
    ranked = [RankedImage(rank, 0.5, image) for rank, image in enumerate("abcd"[: len(reasons)], start=1)]
    explainer = Explainer(annotations, [], {}, list("abcd"), keys, {})
    results = explainer.explain("both", Found(ranked, list(reasons)))
    response = SearchResponse("sale", "", [], [results])
    return [str(VIEW.card(result, response, "Ann")) for result in results.results]


def test_a_card_shows_words_shares_view_and_reason(annotations: Annotations) -> None:
    why = Why(
        (matched("SUMMER SALE", "SALE"),), (Part("m", -0.5), Part("words", 2.0)), "tile 2 of 2", "3", "a sale"
    )
    card, other = shown_card(annotations, why, Why(parts=(Part("m", 1.0), Part("words", 0.0))))
    assert 'viewBox="0 0 8 6"' in card, "marks are in pixels of the catalog's image"
    assert "<title>SALE</title>" in card
    assert "SUMMER <mark>SALE</mark>" in card
    assert re.findall(r"width:([\d.]+)%", card)[:2] == ["25.0", "100.0"]
    assert re.findall(r"width:([\d.]+)%", other)[:2] == ["50.0", "0.0"], "bars compare with those beside them"
    assert "<b>−0.50</b>" in card and "<b>+2.00</b>" in card
    assert "tile 2 of 2" in card and '<rect class="seen" x="2" y="0" width="6" height="6"/>' in card
    assert "<b>3</b> <bdi>a sale</bdi>" in card
    assert "<svg" not in other and "<mark>" not in other
    [plain] = shown_card(annotations, Why(view="whole"))
    assert 'class="view"' not in plain, "the whole image is no news"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_on_a_picture_stay_text(annotations: Annotations, text: str) -> None:
    why = Why((matched(text, *text.split()[:1]), matched(text)), (Part("words", 1.0),), text, text, text)
    [card] = shown_card(annotations, why)
    for tag, attributes in Elements(card).found:
        assert tag != "script"
        assert not any(name.startswith("on") for name in attributes), attributes
        assert (attributes.get("src") or "/image/").startswith("/image/"), attributes
    assert all(char.isprintable() or char == "\n" for char in card), "no control or direction characters"
    assert len(card) < 20_000
    assert in_short(why).isprintable()
    assert len(in_short(why)) <= 60
    assert json.loads(json.dumps(as_json(why)))["matches"][0]["text"] == text, "JSON holds all of it"
    assert json.dumps(as_json(why)).isprintable()


def test_pieces_of_a_text_are_what_matched_and_the_rest() -> None:
    assert pieces(matched("Big SUMMER SALE", "SALE")) == [("Big SUMMER ", False), ("SALE", True)]
    long = f"{'x ' * 3000}SALE{' y' * 3000}"
    shown = pieces(matched(long, "SALE"))
    assert [text for text, is_matched in shown if is_matched] == ["SALE"], (
        "what matched is among what is shown"
    )
    assert shown[0].text == shown[-1].text == "…"
    assert sum(len(piece.text) for piece in shown) == TEXT + 2
    assert pieces(matched("SALE", "SALE")) == [("SALE", True)]


def test_only_some_texts_are_listed_and_places_marked_once(annotations: Annotations) -> None:
    why = Why(tuple(matched("SALE", "SALE") for _ in range(LISTED + 3)))
    [card] = shown_card(annotations, why)
    assert "and 3 more" in card
    assert len(marks(why)) == 1, "one place"
