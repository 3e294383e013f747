"""An image is what its bytes are: a file that was replaced after the catalog was made never passes for what it was."""

import ast
import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures import encoded, gradient, image_file
from tests.support.pipeline import REPOSITORY
from text2image.base.console import InputError
from text2image.collection.facts import read_file
from text2image.collection.images import identify, open_each, open_image, read_image_bytes
from text2image.collection.manifest import ImageFile, ManifestEntry, gallery, read_manifest

READS_PIXELS = {
    "collection/images.py": "the one place that decodes",
    "collection/bounds.py": "looks at the headers of pictures in icons",
    "collection/facts.py": "the catalog itself, which hashes the bytes that it decodes",
    "encoders/images/decoding.py": "looks at the header of bytes that have been compared",
    "encoders/images/gpu_decoding.py": "decodes bytes that have been compared",
    "pages/decoding.py": "looks at the header of bytes, to know how many pixels they have",
    "pages/search/service.py": "pictures that people send to search with, which are in no catalog",
    "pages/report/plots.py": "sheets of pictures that the pipeline drew",
    "pages/report/rendering/drawing.py": "sheets and charts that the pipeline drew",
    "sample/cutouts.py": "the sample's own cut-outs, of which the made-up images are made",
}
"""Modules that may read pixels otherwise than by ``open_image``, each with the reason."""

DECODERS = {"decode", "open_pillow", "read_bytes", "render"}
"""What the collection has for those modules alone."""


@pytest.fixture
def image(tmp_path: Path) -> ImageFile:
    (tmp_path / "a.png").write_bytes(encoded(gradient()))
    return image_file(tmp_path / "a.png")


def test_a_file_that_did_not_change_is_opened(image: ImageFile) -> None:
    assert open_image(image).size == gradient().size
    assert read_image_bytes(image) == encoded(gradient())


def test_a_replaced_file_is_named_with_what_to_do(image: ImageFile) -> None:
    path = Path(str(image.path))
    before = path.stat()
    path.write_bytes(encoded(gradient((24, 32))))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for read in (open_image, read_image_bytes):
        with pytest.raises(InputError) as error:
            read(image)
        assert f"{path} as data/catalog.csv lists it ({image.image_id}), found other bytes" in str(
            error.value
        )
        assert "run `dvc repro -f -s catalog`, which reads the folder anew" in str(error.value)
    path.unlink()
    with pytest.raises(
        InputError, match=r"found: unreadable \(No such file or directory\); run `dvc repro -f -s catalog`"
    ):
        open_image(image)


def test_pixels_that_another_version_made_are_not_taken_for_these(image: ImageFile) -> None:
    with pytest.raises(
        InputError, match="another version of this program made the catalog; run `dvc repro -f -s catalog`"
    ):
        open_image(image._replace(rendering="bits9"))


def test_of_several_files_those_that_did_not_change_are_kept(tmp_path: Path) -> None:
    images = []
    for side in (10, 20, 30):
        Image.new("RGB", (side, side)).save(tmp_path / f"{side}.png")
        images.append(image_file(tmp_path / f"{side}.png"))
    (tmp_path / "20.png").write_bytes(b"something else")
    made, error = open_each(images, lambda picture: picture.width)
    assert made == [(images[0], 10), (images[2], 30)]
    assert "20.png" in str(error)


def test_keys_name_the_rendering_but_those_of_paid_answers_no_colour_profile() -> None:
    plain, other = ImageFile("id", Path("a")), ImageFile("id", Path("a"), "bits1+icc1")
    assert (plain.key, plain.paid_key) == ("id", "id"), "what was stored before stays known"
    assert (other.key, other.paid_key) == ("id+bits1+icc1", "id+bits1")
    assert other._replace(rendering="icc1").paid_key == "id"


def test_the_manifest_hands_the_rendering_on(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("image_id,path,rendering\nb,1,\na,3,icc1\na,2,icc1\n")
    assert gallery(read_manifest(path), Path("in")) == [
        ImageFile("a", Path("in"), "icc1", name="2"),
        ImageFile("b", Path("in"), "", name="1"),
    ]
    assert [image.path for image in gallery(read_manifest(path), Path("in"))] == [Path("in/2"), Path("in/1")]
    path.write_text("image_id,path\nb,1\n")
    assert read_manifest(path) == [ManifestEntry("b", "1", "")], "of an earlier version"


def reads_pixels(path: Path) -> bool:
    """Say whether a module opens images by itself: ``Image.open`` and its like, or the collection's ``decode``.

    Functions of torchvision's that are given bytes count, too, under whatever name they are imported.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "text2image.collection.images":
            if DECODERS & {alias.name for alias in node.names}:
                return True
        elif isinstance(node, ast.ImportFrom) and node.module == "torchvision.io":
            if any(alias.name.startswith(("decode_", "read_")) for alias in node.names):
                return True
        elif isinstance(node, ast.Attribute) and node.attr in ("open", "imread", "imdecode"):
            owner = node.value
            if node.attr != "open" or (isinstance(owner, ast.Name) and owner.id in ("Image", "PIL")):
                return True
    return False


def test_no_reader_decodes_without_the_comparison() -> None:
    found = {
        path.relative_to(REPOSITORY / "text2image").as_posix()
        for path in (REPOSITORY / "text2image").rglob("*.py")
        if reads_pixels(path)
    }
    assert found == set(READS_PIXELS)
    assert not [path for path in (REPOSITORY / "stages").glob("*.py") if reads_pixels(path)]


def opened_formats(path: Path) -> list[bool]:
    """Say of each ``Image.open`` in a module whether it says which formats it opens."""
    return [
        any(keyword.arg == "formats" for keyword in node.keywords)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "open"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("Image", "PIL", "PILImage")
    ]


def test_whoever_opens_an_image_says_of_which_formats() -> None:
    """Pillow's others start programs, or take nearly any bytes for theirs."""
    found = {
        path.relative_to(REPOSITORY).as_posix(): opened_formats(path)
        for folder in ("text2image", "stages")
        for path in (REPOSITORY / folder).rglob("*.py")
    }
    assert sum(map(len, found.values())) >= 4
    assert [name for name, calls in found.items() if not all(calls)] == []


def test_a_drawing_under_a_pictures_name_starts_no_ghostscript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called, program = tmp_path / "called", tmp_path / "programs" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {called}\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # Pillow remembers whether there is one
    plain = encoded(gradient(), "EPS")
    header = b"\xc5\xd0\xd3\xc6" + (32).to_bytes(4, "little") + len(plain).to_bytes(4, "little") + bytes(20)
    folder = tmp_path / "images"
    folder.mkdir()
    for name, content in {"plain.jpg": plain, "dos.png": header + plain, "spaced.jpg": b"\n" + plain}.items():
        (folder / name).write_bytes(content)
        reason = read_file(folder, 10**8, (name, None)).verdict
        assert isinstance(reason, str), name
        assert "EPS" in reason or name == "spaced.jpg", reason
        with pytest.raises(InputError, match="expected a usable image at"):
            identify(folder / name, 10**8)
    assert not called.exists()
    with pytest.raises(subprocess.CalledProcessError), Image.open(folder / "plain.jpg") as drawing:
        drawing.load()
    assert called.exists(), "which Pillow would have started"
