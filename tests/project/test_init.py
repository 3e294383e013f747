"""``t2i init``: a new project, and what an upgrade of the library reruns."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from text2image.base import library
from text2image.base.console import InputError
from text2image.commands import init, template
from text2image.params import load_params


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project, committed."""
    folder = tmp_path_factory.mktemp("made") / "demo"
    init.main([str(folder)])
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a project")
    return folder


@pytest.fixture
def demo(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(made, tmp_path / "demo")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def dependencies(folder: Path) -> set[str]:
    """Return what the stages of a project depend on."""
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].values()
    return {dependency for stage in stages for dependency in stage.get("do", stage)["deps"]}


def test_a_new_project_is_complete(demo: Path) -> None:
    params = load_params(demo / "params.yaml")
    assert (params.data.images, params.label.sources) == ("data/images", ["ocr", "imagenet"])
    assert (demo / params.label.human.path).read_text().startswith("path,text\n")
    assert (demo / "data" / "images").is_dir()
    assert (demo / ".dvc" / "plots" / "hit_rate.json").is_file()
    assert "sample" not in (demo / "params.yaml").read_text().split("models:")[0]
    commands = set(re.findall(r"python -m stages\.(\w+)", (demo / "dvc.yaml").read_text()))
    assert {path.stem for path in (demo / "stages").glob("*.py")} == commands | {"__init__"}


def test_every_dependency_on_the_library_is_recorded(demo: Path) -> None:
    named = dependencies(demo)
    assert not [name for name in named if name.startswith("text2image")]
    records = {name for name in named if name.startswith("library/") and "${" not in name}
    assert records
    assert all((demo / name).is_file() for name in records)
    for source in load_params(demo / "params.yaml").label.sources:
        assert (demo / "library" / "labels" / f"{source}.txt").is_file()
    assert library.changed_parts(demo) == []


def test_a_changed_part_is_said_and_renewed(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = demo / "library" / "encoders.txt"
    now = record.read_text()
    record.write_text("of another version\n")
    assert library.changed_parts(demo) == ["encoders"]
    monkeypatch.setattr(init, "write_plot_files", lambda folder: None)
    init.main(["--update", str(demo)])
    assert record.read_text() == now
    assert git(demo, "status", "--porcelain") == ""


def test_digests_follow_names_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PACKAGE", tmp_path)
    (tmp_path / "part" / "__pycache__").mkdir(parents=True)
    (tmp_path / "part" / "one.py").write_text("1")
    first = library.digest("part")
    (tmp_path / "part" / "__pycache__" / "one.pyc").write_text("compiled")
    assert library.digest("part") == first
    (tmp_path / "part" / "one.py").rename(tmp_path / "part" / "two.py")
    second = library.digest("part")
    (tmp_path / "part" / "two.py").write_text("2")
    assert len({first, second, library.digest("part"), library.digest("gone")}) == 4


def test_an_update_keeps_params_and_what_is_not_committed(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, "write_plot_files", lambda folder: None)
    params, stage = demo / "params.yaml", demo / "stages" / "catalog.py"
    params.write_text(params.read_text() + "# mine\n")
    git(demo, "rm", "-qr", "data/fields")  # as in projects of earlier versions
    as_it_comes = stage.read_text()
    stage.write_text(as_it_comes + "# mine\n")
    with pytest.raises(InputError, match=r"expected stages/catalog\.py to be committed"):
        init.update(demo)
    git(demo, "commit", "-qam", "mine")
    init.update(demo)
    assert stage.read_text() == as_it_comes
    assert (demo / "data" / "fields").is_dir(), (
        "on which a stage depends, whether or not a system reads texts"
    )
    assert params.read_text().endswith("# mine\n")


def test_folders_of_other_things_are_refused(tmp_path: Path, demo: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"expected an empty folder at .*other, found thesis\.txt in it"):
        init.create(other)
    with pytest.raises(InputError, match=r"expected a project of `t2i init` at .*other, found none"):
        init.update(other)
    with pytest.raises(InputError, match=r"found a project; `t2i init --update .*demo` renews it"):
        init.create(demo)
    with pytest.raises(InputError, match=r"expected a folder at .*, found a file"):
        init.create(other / "thesis.txt")
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


@pytest.mark.slow
def test_a_project_inside_a_larger_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "write_plot_files", lambda folder: None)
    git(tmp_path, "init", "-q")
    init.create(tmp_path / "search")
    assert not (tmp_path / "search" / ".git").exists()
    assert (tmp_path / "search" / ".dvc" / "config").is_file()


def test_an_edited_checkout_gives_the_same_values() -> None:
    written = (template.root() / "params.yaml").read_text(encoding="utf-8")
    edited = yaml.safe_load(written)
    edited["data"]["images"] = "elsewhere"
    made = template.with_own_images(yaml.safe_dump(edited))
    assert yaml.safe_load(made) == yaml.safe_load(template.with_own_images(written))


def test_a_machine_without_git_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"expected `git init` to work in .*demo"):
        init.create(tmp_path / "demo")
    assert list((tmp_path / "demo").iterdir()) == [], "nothing that would be refused the next time"
