"""Folders as users have them: odd names, links, damaged files, near-duplicates."""

import os
from pathlib import Path

import pytest

from tests.support.pictures import bomb, encoded, gradient
from text2image.base.console import InputError
from text2image.collection.catalog import Entry, Reject, check_usable, group_entries, read_folder, summary
from text2image.collection.scan import check_unchanged, scan

LIMIT = 10_000_000
NAMES = [
    "with space.jpg",
    "quo\"te's.jpg",
    "naïve-日本.jpg",
    "new\nline.jpg",
    "comma,semi;.jpg",
    "=cmd.jpg",
    "cr\r.jpg",
]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with all that can be wrong, and with good images under difficult names."""
    root = tmp_path / "images"
    (root / "0" / "deep").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (root / "0" / name).write_bytes(encoded(gradient((40 + number, 30)), "JPEG"))
    (root / "0" / "deep" / "no-extension").write_bytes(encoded(gradient((50, 30))))
    (root / "0" / "copy.png").write_bytes(encoded(gradient((50, 30))))
    (root / "empty.jpg").touch()
    (root / "text.jpg").write_text("I am not a JPEG")
    (root / "bomb.png").write_bytes(bomb())
    (root / "cut.jpg").write_bytes(encoded(gradient((300, 300)), "JPEG")[:700])
    (root / "linked.jpg").symlink_to(root / "0" / "copy.png")
    (root / "circle").symlink_to(root)
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    (root / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    Path(os.fsdecode(os.fsencode(root) + b"/bad\xff.jpg")).write_bytes(encoded(gradient()))
    os.mkfifo(root / "pipe.jpg")
    return root


def test_a_hostile_folder_is_read_without_loss(hostile: Path) -> None:
    entries, rejects = read_folder(hostile, LIMIT, scan(hostile))
    assert sorted(e.path for e in entries) == sorted(
        [f"0/{name}" for name in NAMES] + ["0/deep/no-extension", "0/copy.png", "linked.jpg"]
    )
    assert {reject.path: reject.reason.split(" (")[0] for reject in rejects} == {
        "empty.jpg": "empty file",
        "text.jpg": "not an image",
        "bomb.png": "too many pixels",
        "cut.jpg": "damaged image",
        "circle": "link to a folder",
        "loop.jpg": "broken or circular link",
        "gone.jpg": "broken or circular link",
        "bad\\xff.jpg": "file name is not Unicode",
        "pipe.jpg": "not a regular file",
    }
    assert len({entry.image_id for entry in entries if entry.width == 50}) == 1  # a copy and a link
    figures = summary(entries, rejects, group_entries(hostile, entries, 0, 24.0)[0])
    assert figures["files"] == len(entries) + len(rejects)
    assert figures["exact_duplicate_files"] == 2


def test_a_file_that_cannot_be_read_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.jpg").write_bytes(encoded(gradient(), "JPEG"))

    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert read_folder(tmp_path, LIMIT, scan(tmp_path))[1] == [
        Reject("secret.jpg", "unreadable (Permission denied)")
    ]


def test_a_scan_is_sorted_and_repeatable(hostile: Path) -> None:
    assert scan(hostile) == scan(hostile)


def entry(path: str, phash: int) -> Entry:
    return Entry(path, path, path.split("/")[0], 10, 10, "PNG", 1, f"{phash:016x}", "", False, "0" * 64)


def test_folders_that_cannot_be_used_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.images.* no such folder"):
        scan(tmp_path / "nowhere")
    with pytest.raises(InputError, match="found no file"):
        check_usable(tmp_path, [], [], 0.2)
    bad = [Reject(f"{number}.jpg", "not an image") for number in range(3)]
    with pytest.raises(InputError, match=r"found none among 3 files \(not an image: 3\)"):
        check_usable(tmp_path, [], bad, 1.0)
    with pytest.raises(InputError, match=r"at most 20% .*catalog\.max_rejected.* found 3 of 7"):
        check_usable(tmp_path, [entry(f"0/{n}", n) for n in range(4)], bad, 0.2)
    check_usable(tmp_path, [entry(f"0/{n}", n) for n in range(12)], bad, 0.2)


def test_a_folder_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    """DVC looks at the folder when the stage has ended, and would take the new file for read."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(encoded(gradient()))
    files = scan(tmp_path)
    check_unchanged(tmp_path, files)
    (tmp_path / "b.png").write_bytes(encoded(gradient((9, 9))))
    with pytest.raises(InputError, match=r"found that 1 changed, such as b\.png; run `dvc repro` again"):
        check_unchanged(tmp_path, files)
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match="found that 1 changed"):
        check_unchanged(tmp_path, files)
