"""What stages remove: outputs for names that params.yaml no longer lists, and nothing of anybody else's."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.pipeline import REPOSITORY
from text2image.formats.files import atomic_write, draft_prefix
from text2image.lockfile.tidying import tidy

LEFT = {
    "embed_images@gone": "data/embeddings/gone/images.npy",
    "retrieve@builtin-gone": "data/runs/builtin/gone.run",
    "label@gone": "data/labels/gone.csv",
    "examples@gone": "plots/examples/gone",
    "alike@builtin": "data/alike/builtin.csv",
}
KEPT = {
    "label@human": "data/labels/human.csv",
    "queries@human": "data/queries/human.tsv",  # a stage of an earlier version, whose output another writes now
    "audit@human": "data/audit/human.csv",  # inside the output of another
    "finetune@gone": "data/tuned/gone",
    "catalog": "data/catalog.csv",
    "sample": "data/sample",  # of an earlier version
}
OWN = (
    "data/labels/notes.txt",
    "data/splits/my_split.csv",
    "data/models/mine.json",
    "data/embeddings/gone.txt",
)


def project(root: Path) -> Path:
    for name in ("dvc.yaml", "params.yaml"):
        (root / name).write_bytes((REPOSITORY / name).read_bytes())
    for path in (*LEFT.values(), *KEPT.values(), *OWN):
        place = root / path
        if not place.suffix:
            place /= "file"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("written")
    stages = {name: {"cmd": "…", "outs": [{"path": path}]} for name, path in (LEFT | KEPT).items()}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return root


def test_outputs_for_unlisted_names_go_and_all_else_stays(tmp_path: Path) -> None:
    root = project(tmp_path)
    tidy("evaluate", root)
    assert {path for path in LEFT.values() if (root / path).exists()} == set()
    assert {path for path in (*KEPT.values(), *OWN) if not (root / path).exists()} == set()


@pytest.mark.parametrize("lock", [None, "", "stages:", "half: ["])
def test_without_a_sound_lock_nothing_goes(tmp_path: Path, lock: str | None) -> None:
    root = project(tmp_path)
    (root / "dvc.lock").unlink()
    if lock is not None:
        (root / "dvc.lock").write_text(lock)
    tidy("evaluate", root)
    assert all((root / path).exists() for path in LEFT.values())


def dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_drafts_of_killed_processes_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    """A file that was being written has the number of its process in its name, as has the folder of a sample."""
    dead, alive = dead_process(), os.getpid()
    for pid in (dead, alive):
        for name in (f"data/.catalog-{pid}-ab_12xyz.csv", f"data/.sample-{pid}-ab_12xyz/images/0/1.png"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("half")
    own = [tmp_path / "data" / name for name in (".notes-2024-summer.txt", ".gitignore", f".my-{dead}-x.csv")]
    for path in own:
        path.write_text("mine")
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "data" / "manifest.csv") as draft:
        project(tmp_path)
        tidy("catalog", tmp_path)
        assert draft.exists()
        assert [path for path in (tmp_path / "data").glob(f".*-{dead}-*") if path not in own] == []
        assert len(list((tmp_path / "data").glob(f".*-{alive}-*"))) == 3
        raise ZeroDivisionError
    assert all(path.exists() for path in own)
    assert draft_prefix("catalog") == f".catalog-{alive}-"
