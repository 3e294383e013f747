"""Which models read: those of the package, another language's, or one's own."""

import hashlib
import importlib.util
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.labels.ocr.test_source import ask, drawn, settings
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.base.store import cache_root
from text2image.labels.ocr.models import (
    Models,
    check_characters,
    check_recogniser,
    downloaded,
    fetch_recogniser,
    find_models,
    offered,
    shipped,
)
from text2image.labels.ocr.source import Source

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_a_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        "text2image.labels.ocr.models.find_spec", lambda name: None if name == package else there(name)
    )
    with pytest.raises(InputError, match=rf"no {package}; .*\[ocr\]"):
        find_models()


def test_languages_of_the_package_need_no_download() -> None:
    """German has the key of the default: the same models read it."""
    assert find_models("de")[:2] == find_models()[:2]
    key = Source(settings()).determinants()
    assert Source(settings(language="de")).determinants() == key
    source = Source(settings(language="de"))
    source.fetch()
    assert not (cache_root() / "rapidocr").exists()


def test_unknown_languages_and_missing_models_are_one_sentence() -> None:
    with pytest.raises(InputError, match=r"label\.ocr\.language\): af, ar.*, korean, .*; found 'klingon'"):
        find_models("klingon")
    with pytest.raises(
        InputError, match=r"korean_PP-OCRv5_rec_mobile\.onnx \(params key label\.ocr\.language"
    ):
        find_models("korean")
    with pytest.raises(InputError, match=r"label\.ocr\.model\), found no file none\.onnx"):
        find_models(model="none.onnx")


def test_languages_from_right_to_left_need_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        "text2image.labels.ocr.models.find_spec", lambda name: None if name == "bidi" else there(name)
    )
    with pytest.raises(InputError, match="python-bidi for the language 'arabic'"):
        find_models("arabic")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Offer the bytes that a test puts in under a name as RapidOCR's recogniser for Korean."""
    served: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = served["content"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        entry = dict(offered("korean"))
        entry["model_dir"] = f"http://127.0.0.1:{running.server_port}/models/korean.onnx"
        entry["SHA256"] = hashlib.sha256(b"the model").hexdigest()
        monkeypatch.setattr("text2image.labels.ocr.models.offered", lambda language: entry)
        yield served
        running.shutdown()


def test_a_recogniser_is_downloaded_once(
    server: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    server["content"] = b"the model"
    source = Source(settings(language="korean"))
    source.fetch()
    folder = cache_root() / "rapidocr"
    assert [path.name for path in folder.iterdir()] == ["korean.onnx"]
    assert find_models("korean").recogniser == folder / "korean.onnx"
    server.clear()  # a second request would fail
    source.fetch()
    assert "korean.onnx" in source.determinants()["models"]
    assert "downloads the recogniser for 'korean'" in "".join(capsys.readouterr())


def test_a_download_of_other_bytes_is_not_kept(server: dict[str, bytes]) -> None:
    server["content"] = b"half the mod"
    with pytest.raises(InputError, match="expected the recogniser with the SHA-256"):
        fetch_recogniser("korean")
    assert list((cache_root() / "rapidocr").iterdir()) == []


def test_without_a_network_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = dict(offered("korean")) | {"model_dir": "http://127.0.0.1:9/korean.onnx"}
    monkeypatch.setattr("text2image.labels.ocr.models.offered", lambda language: entry)
    with pytest.raises(InputError, match=r"found no connection \(ConnectionError\); .* label\.ocr\.model"):
        fetch_recogniser("korean")
    with pytest.raises(InputError, match="`dvc repro` downloads it"):
        downloaded(entry)


def test_a_model_of_ones_own_reads(runtime: Runtime, tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    shutil.copy(shipped("Rec"), own)
    source = Source(settings(model=str(own)))
    image = drawn(tmp_path / "one.png", [("Own the game", 20, 40, 40)])
    (item,) = source.load(runtime)([image])
    assert [item] == ask([image], runtime)
    assert "own.onnx" in source.determinants()["models"]
    (tmp_path / "own.txt").write_text("a\nb\n")
    assert find_models(model=str(own)).characters == tmp_path / "own.txt"


def test_a_model_that_cannot_read_is_one_sentence(runtime: Runtime, tmp_path: Path) -> None:
    broken: Any = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(
        InputError, match=r"ONNX model \(params key label\.ocr\.model\), found .*broken\.onnx"
    ):
        Source(settings(model=str(broken))).load(runtime)
    with pytest.raises(InputError, match=r"characters of .*det.*\.txt, found neither"):
        check_recogniser(find_models(model=str(shipped("Det"))))


def test_characters_are_as_many_as_the_outputs(tmp_path: Path) -> None:
    models = Models(shipped("Det"), tmp_path / "own.onnx", tmp_path / "own.txt")
    (tmp_path / "own.txt").write_bytes("a\nb\n\u2028".encode())  # three lines, as RapidOCR counts them
    check_characters(models, None, 5)
    check_characters(models, "a\nb", 4)
    check_characters(models, None, "classes")
    with pytest.raises(InputError, match=r"expected 4 characters for .*own\.onnx .*, found 3 in .*own\.txt"):
        check_characters(models, None, 6)
    with pytest.raises(InputError, match="found 2 in its metadata"):
        check_characters(models, "a\nb", 5)
