"""`t2i store`: what is in the store, and what may go."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.workplace import Workplace
from text2image.base.console import InputError
from text2image.base.spaces import spaces
from text2image.base.store import Store
from text2image.collection.groups import determinants as near_duplicate_determinants
from text2image.commands.store import main
from text2image.encoders.readings import reading_determinants
from text2image.encoders.sentences.cross_encoding import cross_determinants
from text2image.encoders.sentences.encoding import sentence_determinants
from text2image.encoders.vectors import image_determinants
from text2image.formats.files import write_json
from text2image.labels.imagenet.source import Source as ImagenetSource
from text2image.labels.openai.source import Source as OpenaiSource
from text2image.labels.protocol.answers import all_determinants
from text2image.params import load_params
from text2image.queries.judging.model import judge_determinants
from text2image.retrieval.systems.vision_grades import grader_settings

USED = ["embeddings", "labels/imagenet", "labels/openai", "near_duplicates", "readings"]
"""Kinds of the spaces that the current params use."""


@pytest.fixture
def stocked(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> Workplace:
    """A workplace whose store holds spaces of the current params and of others."""
    workplace.params["label"]["sources"] = ["openai", "imagenet"]
    workplace.set(prompt="The current prompt.")
    workplace.images(0)
    card = {"name": "local-dir:x", "pretrained": None, "context_length": None, "files": {"w": "1"}}
    write_json(workplace.root / "data" / "models" / "builtin.json", card)
    params = load_params()
    levels = params.catalog.near_duplicate_levels
    used: list[tuple[str, Any]] = [("embeddings", image_determinants(card, "fp32"))]
    used += [
        ("labels/openai", OpenaiSource(params.label.openai).determinants()),
        ("labels/imagenet", all_determinants(ImagenetSource(params.label.imagenet))),
        ("readings", reading_determinants(card)),
        ("near_duplicates", near_duplicate_determinants(levels)),
    ]
    unused = [
        ("embeddings", image_determinants(card | {"files": {"w": "2"}}, "fp32")),
        ("readings", reading_determinants(card | {"files": {"w": "2"}})),
        ("labels/openai", used[1][1] | {"prompt": "An older prompt."}),
        ("labels/ocr", {"rapidocr": "0"}),
    ]
    for kind, about in used + unused:
        with Store(kind, about) as store:
            store.put([("k", b"v" * 5000)])
    return workplace


def kinds(workplace: Workplace) -> list[str]:
    return [space.kind for space in spaces(workplace.root / ".cache")]


def test_prune_deletes_what_no_current_model_uses(
    stocked: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kinds(stocked)
    main([])
    shown = capsys.readouterr().out
    assert (shown.count(": in use,"), shown.count(": not in use,")) == (5, 4)
    assert "prompt An older prompt." in shown and "9 spaces" in shown
    main(["prune"])
    said = capsys.readouterr()
    assert kinds(stocked) == before
    assert "3 spaces with" in said.out and "--yes" in said.out
    assert "was paid for and stays (1 answers" in said.err
    main(["prune", "--yes"])
    assert kinds(stocked) == [*USED[:2], "labels/openai", *USED[2:]]
    main(["prune", "--yes", "--paid"])
    assert kinds(stocked) == USED


def test_prune_leaves_what_it_cannot_tell_and_what_is_open(
    stocked: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    (stocked.root / "data" / "models" / "builtin.json").unlink()
    with Store("labels/ocr", {"rapidocr": "0"}):
        main(["prune", "--yes"])
    said = capsys.readouterr().err
    assert "model 'builtin' has no card yet" in said and "in use by another process" in said
    assert kinds(stocked).count("embeddings") == 2 and "labels/ocr" in kinds(stocked)


def test_features_stay_while_a_model_is_made_of_them(
    stocked: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store("features", {"trunk": 1}) as store:
        store.put([("k", b"v")])
    stocked.params["finetune"]["models"] = ["builtin-tuned"]
    stocked.params["finetune"]["runs"]["builtin-tuned"]["sources"] = ["imagenet"]
    stocked.set()
    main(["prune", "--yes"])
    assert "features is left alone" in capsys.readouterr().err and "features" in kinds(stocked)
    stocked.params["finetune"]["models"] = []
    stocked.set()
    main(["prune", "--yes"])
    assert "features" not in kinds(stocked)


def test_what_systems_asked_and_had_read_is_in_use(
    stocked: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Grades of a system with a prompt of its own stay known, and so do vectors of texts and scores of pairs."""
    stocked.params["systems"] = {
        "second": {"kind": "rerank", "of": "builtin", "prompt": "A rubric of its own."},
        "meant": {"kind": "meaning", "fields": ["ocr"], "model": "some/encoder"},
    }
    stocked.params["retrieve"] |= {"systems": ["builtin", "meant"], "fields": ["ocr"]}
    stocked.set()
    card = {"name": "some/encoder", "revision": "1", "files": {"w": "3"}}
    write_json(stocked.root / "data" / "systems" / "builtin.json", {"text_models": {}})
    params = load_params()
    settings = grader_settings(params.label.openai, "second", params.systems["second"], params.judge.prompt)  # type: ignore[arg-type]
    spaces_of_systems: list[tuple[str, Any]] = [
        ("judgements", judge_determinants(settings)),
        ("embeddings", sentence_determinants(card, "query")),
        ("embeddings", sentence_determinants(card, "document")),
        ("cross_encoders", cross_determinants(card)),
    ]
    for kind, about in spaces_of_systems:
        with Store(kind, about) as store:
            store.put([("k", b"v")])
    main(["prune", "--yes", "--paid"])
    assert "system 'meant' is not described yet" in capsys.readouterr().err
    assert kinds(stocked).count("embeddings") == 4, "of a system that is not described, nothing is known"
    write_json(stocked.root / "data" / "systems" / "meant.json", {"text_models": {"some/encoder": card}})
    main(["prune", "--yes", "--paid"])
    left = kinds(stocked)
    assert (left.count("embeddings"), left.count("judgements"), left.count("cross_encoders")) == (3, 1, 1)
    stocked.params["systems"]["second"]["prompt"] = "Another."
    stocked.params["retrieve"]["systems"] = ["builtin"]
    stocked.set()
    main(["prune", "--yes", "--paid"])
    left = kinds(stocked)
    assert (left.count("embeddings"), left.count("judgements"), left.count("cross_encoders")) == (1, 0, 0)


def test_a_budget_without_prices_leaves_grades_alone(
    stocked: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    stocked.params["systems"] = {"second": {"kind": "rerank", "of": "builtin", "budget_usd": 1.0}}
    stocked.params["label"]["openai"] |= {"price_input_per_million": None, "price_output_per_million": None}
    stocked.params["retrieve"] |= {"systems": ["builtin"]}
    stocked.set()
    main(["prune"])
    assert "judgements is left alone: expected both prices" in capsys.readouterr().err


def test_verify_and_repair_name_what_is_damaged(
    stocked: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["verify"])
    assert capsys.readouterr().out.count("1 entries are whole") == 9
    files = {space.kind: space.path for space in spaces(stocked.root / ".cache")}
    flip(files["labels/ocr"], b"v" * 5000, 40)
    with pytest.raises(InputError, match="found damage to 1; they are kept apart now, and what needs them"):
        main(["verify"])
    said = capsys.readouterr()
    assert "0 entries are whole, 1 damaged set aside" in said.out
    assert "found damage to that of k: what was there is computed anew" in said.err
    main(["verify"])
    main(["repair"])
    assert capsys.readouterr().out.endswith("\n9 of 9 files needed no repair\n")
    flip(files["judgements" if "judgements" in files else "labels/openai"], b"SQLite format 3", 3)
    for action in ([], ["verify"], ["prune", "--yes", "--paid"]):
        with pytest.raises(
            InputError, match=r"labels/openai/.*found: file is not a database; `t2i store repair`"
        ):
            main(action)
    capsys.readouterr()
    main(["repair"])
    assert (
        "labels/openai" in (said_so := capsys.readouterr().out)
        and "1 entries are whole and were kept" in said_so
    )
    assert re.search(r"\n(4 of 5|5 of 6) files needed no repair\n$", said_so), (
        "prune deletes the other space if it is unused"
    )
    assert len(list(files["labels/openai"].parent.glob("*.damaged-*"))) == 1
    main(["verify"])


def test_repair_leaves_what_no_repair_helps(stocked: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the sentence holds the very words of those on damaged files."""
    wrong = stocked.root / ".cache" / "labels" / "`t2i store repair`.sqlite"
    wrong.mkdir()
    with pytest.raises(InputError, match=r"expected a SQLite file at .* found a folder; move it away"):
        main(["repair"])
    assert wrong.is_dir() and not list(wrong.parent.glob("*.damaged-*"))


def flip(path: Path, where: bytes, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(where) + offset] ^= 1
    path.write_bytes(content)


def test_a_folder_that_may_not_be_read_is_named(
    stocked: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for another user: the system's answer, since tests may run as one who may read all."""
    closed = str(stocked.root / ".cache" / "embeddings")
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if str(path) == closed:
            raise PermissionError(13, "Permission denied", closed)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(
        InputError, match=r"expected a folder at .*embeddings that this user may read, found: Permission"
    ):
        main([])
    assert "7 spaces" in capsys.readouterr().out
