"""Images behind URLs: found, read, remembered and pinned as those in a folder."""

import pickle
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
import yaml
from fsspec.registry import _registry

from stages import catalog, embed_images
from tests.support.pictures import encoded
from tests.support.pipeline import Project, tiny_model
from tests.support.workplace import REPOSITORY, picture
from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.collection import facts
from text2image.collection.catalog import read_folder
from text2image.collection.images import open_image
from text2image.collection.locations import Remote, location, read_pin
from text2image.collection.manifest import gallery, read_manifest
from text2image.collection.scan import ListedFile, pin_of, scan
from text2image.commands import catalog as catalog_command
from text2image.encoders.models.card import describe
from text2image.formats.files import write_json
from text2image.params import load_params

LIMIT = 10_000_000
URL = "memory://bucket/creatives"
NAMES = ["0/a b.png", "0/c#d?.png", "1/e::f%20.png", "1/é.png", "g.png"]


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    """Five pictures in memory, under names that URLs could misread, and a text."""
    system = fsspec.filesystem("memory")
    for number, name in enumerate(NAMES):
        system.pipe_file(f"/bucket/creatives/{name}", encoded(picture(number)))
    system.pipe_file("/bucket/creatives/text.jpg", b"I am not a JPEG")
    yield system
    system.rm("/bucket", recursive=True)


@pytest.fixture
def place(tmp_path: Path, own_cache: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which stages run without DVC, on images in memory."""
    monkeypatch.chdir(tmp_path)
    point(tmp_path, URL)
    return tmp_path


def point(place: Path, images: str) -> None:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"]["images"] = images
    params["models"]["tiny"] = {"name": "local-dir:tiny", "pretrained": None, "context_length": None}
    params["embed"]["models"] = params["retrieve"]["systems"] = ["tiny"]
    (place / "params.yaml").write_text(yaml.safe_dump(params))


def write_pin(*url: str) -> None:
    catalog_command.main(["--pin", *url])


def test_a_location_is_a_folder_or_a_url(tmp_path: Path) -> None:
    assert location("data/sample") == Path("data/sample")
    assert location(f"file://{tmp_path}") == tmp_path
    remote = location(URL)
    assert remote == Remote(URL)
    assert str(remote / "0/a b.png") == remote.as_posix() + "/0/a b.png" == f"{URL}/0/a b.png"
    assert pickle.loads(pickle.dumps(remote / "x")) == remote / "x"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nowhere://x", "expected a URL that fsspec opens .*Protocol not known: nowhere"),
        ("ftp://me:secret@host/x", r"without a password \(params key data\.images\)"),
        ("missing.url", r"expected a file that .*--pin` wrote at missing\.url"),
    ],
)
def test_urls_that_cannot_be_used_are_one_sentence(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        scan(location(url))
    assert "secret" not in str(caught.value)


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)
    with pytest.raises(InputError, match=r"expected the package for s3://bucket/x .*Install s3fs"):
        scan(location("s3://bucket/x"))


def test_a_network_that_fails_is_no_word_on_a_file(
    bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise TimeoutError("timed out")

    found = scan(Remote(URL))
    monkeypatch.setattr(type(bucket), "cat_file", fail)
    with pytest.raises(InputError, match=r"expected to read memory://.*timed out"):
        read_folder(Remote(URL), LIMIT, found)


def test_a_bucket_is_cataloged_as_a_folder_is(bucket: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    bucket.get("/bucket/creatives/", str(tmp_path / "copy"), recursive=True)
    remote = read_folder(Remote(URL), LIMIT, scan(Remote(URL)))
    assert [entry.path for entry in remote[0]] == sorted(NAMES)
    assert remote == read_folder(tmp_path / "copy", LIMIT, scan(tmp_path / "copy"))


def test_only_changed_objects_are_read(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = facts.read_file

    def recording(root: Remote, max_pixels: int, item: tuple[str, facts.Verdict | None]) -> facts.ReadFile:
        read.append(item[0])
        return original(root, max_pixels, item)

    monkeypatch.setattr(facts, "read_file", recording)
    monkeypatch.setattr(facts, "GRANULE", 0.0)  # all objects are a moment old
    time.sleep(0.01)
    with Store("catalog", {}, tmp_path) as store:
        read_folder(Remote(URL), LIMIT, scan(Remote(URL)), store)
        bucket.pipe_file("/bucket/creatives/g.png", encoded(picture(9)))
        time.sleep(0.01)
        read.clear()
        warm = read_folder(Remote(URL), LIMIT, scan(Remote(URL)), store)
        assert read == ["g.png"]
    assert warm == read_folder(Remote(URL), LIMIT, scan(Remote(URL)))


def test_an_etag_is_trusted_at_once_and_a_fresh_time_is_not() -> None:
    now = time.time()
    assert facts.settled(ListedFile("a", None, "5 abc", None), now)
    assert not facts.settled(ListedFile("a", None, f"5 {now}", now), now)
    assert not facts.settled(ListedFile("a", None, None, None), now)


def test_images_in_memory_are_embedded(bucket: fsspec.AbstractFileSystem, place: Path) -> None:
    """Catalog and embedding of a bucket give the bytes that they give for a folder with the same files."""
    tiny_model(place / "tiny")
    bucket.get("/bucket/creatives/", str(place / "copy"), recursive=True)
    made = []
    for images in (URL, "copy"):
        point(place, images)
        catalog.main(load_params())
        card = describe("tiny", load_params().models["tiny"])
        write_json(place / "data" / "models" / "tiny.json", card)
        for path in place.glob(".cache/embeddings/*"):
            path.unlink()
        embed_images.main(load_params(), "tiny")
        tables = [
            (place / "data" / f"{name}.csv").read_bytes() for name in ("catalog", "manifest", "rejects")
        ]
        made.append([*tables, (place / "data" / "embeddings" / "tiny" / "images.npy").read_bytes()])
    assert made[0] == made[1]
    assert np.load(place / "data" / "embeddings" / "tiny" / "images.npy").shape == (5, 16)
    image = gallery(read_manifest(place / "data" / "manifest.csv"), Remote(URL))[0]
    assert open_image(image).mode == "RGB"


def test_a_pin_follows_a_bucket(
    bucket: fsspec.AbstractFileSystem,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_pin(URL)
    assert "6 files" in capsys.readouterr().err
    pin = read_pin(place / "data" / "images.url")
    assert pin == pin_of(URL, scan(Remote(URL)))
    point(place, "data/images.url")
    catalog.main(load_params())
    bucket.pipe_file("/bucket/creatives/new.png", encoded(picture(9)))
    with pytest.raises(InputError, match=r"expected the 6 files at memory://.* found 7 files.*--pin"):
        catalog.main(load_params())
    write_pin()
    assert read_pin(place / "data" / "images.url").files == 7
    catalog.main(load_params())
    assert "new.png" in (place / "data" / "catalog.csv").read_text()


@pytest.mark.pipeline
def test_dvc_follows_a_pinned_url(project: Project) -> None:
    """The images move behind a file:// URL, then one is added: `dvc repro` does what it does for a folder."""
    elsewhere = project.root.with_name("elsewhere")
    (project.root / "data" / "images").rename(elsewhere)
    before = (project.root / "data" / "catalog.csv").read_bytes()
    project.run("python", "-m", "text2image.cli", "catalog", "--pin", f"file://{elsewhere}")
    project.set(data__images="data/images.url")
    assert project.repro("embed_images@builtin") == {"catalog"}
    assert (project.root / "data" / "catalog.csv").read_bytes() == before
    picture(5).save(elsewhere / "new.png")
    project.run("python", "-m", "text2image.cli", "catalog", "--pin")
    assert project.repro("embed_images@builtin") == {"catalog", "embed_images@builtin"}
    assert "new.png" in (project.root / "data" / "catalog.csv").read_text()
