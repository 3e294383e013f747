"""``t2i repro``: DVC after a kill, in a small project with git, and DVC's own files as a kill leaves them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dvc.logger  # noqa: F401 - now, as it keeps the stream to write to, and that of a test is closed after it
import psutil
import pytest
from dvc_objects.fs.utils import tmp_fname

from tests.support.pipeline import REPOSITORY, Project
from tests.support.unprivileged import unprivileged
from text2image.base.console import InputError
from text2image.base.processes import one_at_a_time
from text2image.commands.pipeline.experiment import experiment
from text2image.commands.pipeline.repairs import dvc_lock, is_sound, mend_rwlock, restore
from text2image.commands.pipeline.writing import written_whole
from text2image.commands.repro import repro
from text2image.params import load_params

PIPELINE = """\
stages:
  first:
    cmd: cp in.txt a.txt && echo first >> ran.txt
    deps: [in.txt]
    outs: [a.txt]
  second:
    cmd: cp a.txt b.txt && echo second >> ran.txt
    deps: [a.txt]
    outs: [b.txt]
"""
MARKS = "<<<<<<< ours\nschema: '2.0'\n=======\nschema: '2.0'\n>>>>>>> theirs\n"
RWLOCK = Path(".dvc", "tmp", "rwlock")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two stages that ran, committed, with a folder that DVC tracks."""
    project = Project(tmp_path_factory.mktemp("repro") / "project")
    for name in ("pictures", ".dvc/tmp"):
        (project.root / name).mkdir(parents=True)
    for name, text in {
        ".dvc/config": "", ".dvc/.gitignore": "/tmp\n/cache\n", ".gitignore": "/ran.txt\n/a.txt\n/b.txt\n",
        "dvc.yaml": PIPELINE, "in.txt": "content\n", "pictures/one": "1",
    }.items():  # fmt: skip
        (project.root / name).write_text(text)
    project.run("git", "init", "-q")
    project.run("dvc", "add", "-q", "pictures")
    project.run("t2i", "repro", "-q", env={"PYTHONPATH": str(REPOSITORY)})
    project.commit("ran")
    return project.root


@pytest.fixture
def root(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, as the working directory."""
    project = Project(tmp_path / "project")
    shutil.copytree(finished, project.root)
    for name, value in (project.environment() | {"PYTHONPATH": str(REPOSITORY)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.root)
    return project.root


def broken(content: bytes) -> list[bytes]:
    """Return what a kill leaves of a file: nothing, and parts that end where DVC's writer has flushed or not."""
    return [b"", content[: len(content) // 3], content[:-2]]


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("name", ["dvc.lock", "pictures.dvc"])
@pytest.mark.parametrize("kept", ["copy", "commit"])
def test_a_file_that_was_not_written_to_its_end_is_restored(
    root: Path, name: str, part: int, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path(name).read_bytes()
    if kept == "commit":
        (root / ".dvc" / "tmp" / "copies" / f"{name}.copy").unlink()
    left = broken(whole)[part]
    Path(name).write_bytes(left)
    for output in ("a.txt", "b.txt"):
        Path(output).unlink()
    assert repro([]) == 0
    assert Path(name).read_bytes() == whole
    assert Path("ran.txt").read_text() == "first\nsecond\n", "no stage ran again"
    assert Path("b.txt").read_text() == "content\n"
    assert f"{name} was not written to its end" in capsys.readouterr().err
    assert (root / ".dvc" / "tmp" / "copies" / f"{name}.broken").read_bytes() == left


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("rest", [b"  second:", b"    outs:"])
def test_a_lock_that_was_cut_off_where_dvc_reads_it_is_restored_unless_it_is_gits(
    root: Path, rest: bytes, committed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path("dvc.lock").read_bytes()
    cut = whole[: whole.index(rest)]
    assert is_sound(Path("dvc.lock"), cut), (
        "DVC reads it, and would add the stages that it lacks in another order"
    )
    Path("dvc.lock").write_bytes(cut)
    if committed:
        subprocess.run(["git", "commit", "-qam", "a lock of fewer stages"], check=True)
    restore(root)
    assert Path("dvc.lock").read_bytes() == (cut if committed else whole)
    assert ("dvc.lock was not written to its end" in capsys.readouterr().err) is not committed


def test_a_lock_without_a_copy_is_removed_and_made_from_the_run_cache(root: Path) -> None:
    whole = Path("dvc.lock").read_bytes()
    (root / ".dvc" / "tmp" / "copies" / "dvc.lock.copy").unlink()
    subprocess.run(["git", "rm", "-q", "--cached", "dvc.lock"], check=True)
    subprocess.run(["git", "commit", "-qm", "without"], check=True)
    Path("dvc.lock").write_bytes(b"")
    assert repro([]) == 0
    assert Path("dvc.lock").read_bytes() == whole
    assert Path("ran.txt").read_text() == "first\nsecond\n", "no stage ran again"


STAGE = b"schema: '2.0'\nstages:\n  first:\n    cmd: x\n    deps:\n    - path: in.txt\n      md5: "
DAMAGED = [
    b"!!int x\n", b"a: 2001-99-99\n", b"a: !!bool x\n", b"a: !!float x\n", b"a: !!timestamp x\n", b"a: !!binary '@@'\n",
    b"a: !!python/object:os.system x\n", b"!!set x\n", b"!!omap [1]\n", b"? [1, 2]\n: 3\n", b"? {a: 1}\n: 3\n",
    b"a: " + b"9" * 5000 + b"\n", b"a: 190:20:30.15.1\n", b"<<: 1\n", b"*a\n", b"&a [*a]\n", b"a: &a {b: *a}\n", b"- 1\n", b"1\n", b"~\n",
    b"", b"\0\n", b"a: \0\n", b"\xff\xfe\n", b"a: \xc3\n", b"\xed\xa0\x80\n", b'a: "\\U99999999"\n', b"\ta: b\n", b"a:\n\tb: 1\n",
    b"%YAML 9.9\n---\na: 1\n", b"---\na: 1\n---\nb: 2\n", b"{a: 1, a: 2}\n", b"a: 'x\n", b"[" * 100_000, b"[" * 5000 + b"]" * 5000 + b"\n",
    b"- " * 5000 + b"1\n", b"schema: '2.0'\nstages: []\n", b"schema: '2.0'\nstages:\n  first: 1\n", b"schema: '3.0'\n", b"schema: [a]\n",
    STAGE + b"2001-99-99\n", STAGE + b"!!int x\n", STAGE + b"*x\n", STAGE + b"[" * 200 + b"]" * 200 + b"\n",
]  # fmt: skip


@pytest.mark.parametrize("name", ["dvc.lock", "pictures.dvc"])
def test_no_damage_is_taken_for_sound_or_ends_the_repair(name: str) -> None:
    """Of a broken number, date or key the parser raises what Python does; nested deep enough, it would end the process."""
    assert [content[:80] for content in DAMAGED if is_sound(Path(name), content)] == []


@pytest.mark.parametrize("number", [0, 2, 33])
def test_a_lock_with_a_broken_value_is_restored(root: Path, number: int) -> None:
    whole = Path("dvc.lock").read_bytes()
    Path("dvc.lock").write_bytes(DAMAGED[number])
    assert repro([]) == 0
    assert Path("dvc.lock").read_bytes() == whole
    assert Path("ran.txt").read_text() == "first\nsecond\n", "no stage ran again"


@pytest.mark.parametrize("name", ["dvc.lock", "pictures.dvc"])
def test_every_beginning_of_a_file_is_restored_or_one_that_dvc_reads(root: Path, name: str) -> None:
    from dvc.repo import Repo

    whole = Path(name).read_bytes()
    sound = [whole[:end] for end in range(len(whole) + 1) if is_sound(Path(name), whole[:end])]
    assert whole in sound and len(sound) < 20
    for content in sound:
        Path(name).write_bytes(content)
        with Repo() as project:
            assert project.status().keys() <= {"first", "second", "pictures.dvc"}
    Path(name).write_bytes(sound[0])
    assert repro([]) == 0
    assert Path("ran.txt").read_text() == "first\nsecond\n", "no stage ran again"


def test_a_lock_that_is_a_link_stays_one(root: Path, tmp_path: Path) -> None:
    elsewhere, whole = tmp_path / "elsewhere", Path("dvc.lock").read_bytes()
    elsewhere.write_bytes(whole[:99])
    Path("dvc.lock").unlink()
    Path("dvc.lock").symlink_to(elsewhere)
    assert repro([]) == 0
    assert Path("dvc.lock").is_symlink()
    assert elsewhere.read_bytes() == whole
    assert (root / ".dvc" / "tmp" / "copies" / "dvc.lock.broken").read_bytes() == whole[:99]


@pytest.mark.parametrize("name", ["tmp", "tmp/copies"])
def test_what_stands_in_the_place_of_a_folder_is_one_sentence(root: Path, name: str) -> None:
    shutil.rmtree(root / ".dvc" / name)
    (root / ".dvc" / name).write_text("")
    with pytest.raises(
        InputError, match=f"no others in their place, found: .*{name}'; allow it, or move it away"
    ):
        repro([])


def test_a_lock_that_may_not_be_read_is_one_sentence(root: Path) -> None:
    Path("dvc.lock").chmod(0)
    done = subprocess.run(
        ["t2i", "repro"], capture_output=True, text=True, check=False, preexec_fn=unprivileged
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: expected files of DVC in ")
    assert "Traceback" not in done.stderr


def test_what_a_person_has_to_decide_is_left(root: Path) -> None:
    Path("dvc.lock").write_text(MARKS)
    with pytest.raises(InputError, match=r"marks of a conflict in it; `git checkout --ours dvc\.lock`"):
        repro([])
    assert Path("dvc.lock").read_text() == MARKS
    Path("dvc.lock").unlink()
    Path("other.dvc").write_text("outs:\n- md5: ")
    with pytest.raises(
        InputError, match=r"other\.dvc as DVC writes it.* no copy of it; remove it and run `dvc add other`"
    ):
        repro([])


@pytest.mark.parametrize("left", ["", '{"write": {"a', '{"write": 1}', "[" * 100_000])
def test_an_rwlock_that_dvc_refuses_is_removed(root: Path, left: str) -> None:
    RWLOCK.write_text(left)
    assert repro([]) == 0
    assert json.loads(RWLOCK.read_text()) == {}


def test_an_rwlock_is_left_while_a_stage_runs(root: Path) -> None:
    RWLOCK.write_text("")
    with one_at_a_time("first", root), pytest.raises(InputError, match="while the stage first runs here"):
        mend_rwlock(root)
    assert RWLOCK.read_text() == ""


@pytest.mark.parametrize("inside", [".dvc/cache", "elsewhere"])
def test_an_empty_folder_of_the_run_cache_goes(root: Path, inside: str) -> None:
    """DVC makes the folder of a stage's inputs, then writes the entry; it stumbles over a folder without one."""
    if inside != ".dvc/cache":
        Path(".dvc/cache").rename(inside)
        Path(".dvc/config").write_text(f"[cache]\n    dir = ../{inside}\n")
    for entry in [path for path in Path(inside, "runs").rglob("*") if path.is_file()]:
        entry.unlink()
    Path("dvc.lock").unlink()
    assert repro([]) == 0
    assert Path("ran.txt").read_text() == "first\nsecond\nfirst\nsecond\n"


def test_a_file_that_dvc_was_copying_goes(root: Path) -> None:
    """In a folder that a stage depends on, it would be recorded as one of its files."""
    (root / "params.yaml").write_text("{}\n")
    left = [root / tmp_fname(), root / tmp_fname("a.txt")]
    own = [root / name for name in (".notes.tmp", "a.txt.tmp", "b.txt")]
    for path in (*left, *own):
        path.write_text("half")
    assert repro([]) == 0
    assert [path.exists() for path in (*left, *own)] == [False, False, True, True, True]


def test_what_another_dvc_may_be_writing_is_not_touched(root: Path) -> None:
    Path("dvc.lock").write_bytes(b"")
    with dvc_lock(root, "lock"):
        assert repro(["--dry"]) == 255
    assert Path("dvc.lock").read_bytes() == b""
    assert repro([]) == 0


def test_an_rwlock_forgets_processes_that_have_the_number_of_a_killed_one(root: Path) -> None:
    holder = {"pid": os.getpid(), "cmd": "dvc repro"}
    held = {"write": {str(root / "a.txt"): holder}, "read": {str(root / "in.txt"): [holder]}}
    RWLOCK.write_text(json.dumps(held))
    mend_rwlock(root)
    assert json.loads(RWLOCK.read_text()) == held, "a process that was there then may hold it"
    before = psutil.Process().create_time() - 60
    os.utime(RWLOCK, (before, before))
    mend_rwlock(root)
    assert json.loads(RWLOCK.read_text()) == {"write": {}, "read": {}}
    for pid in (-1, 2**70):
        RWLOCK.write_text(json.dumps({"write": {str(root / "a.txt"): holder | {"pid": pid}}}))
        mend_rwlock(root)
    assert repro([]) == 0


def test_exit_codes_and_arguments_are_those_of_dvc(root: Path) -> None:
    command = [sys.executable, "-m", "text2image.cli", "repro"]
    done = subprocess.run([*command, "--force", "--single-item", "second"], check=False)
    assert (done.returncode, Path("ran.txt").read_text()) == (0, "first\nsecond\nsecond\n")
    assert subprocess.run([*command, "third"], check=False).returncode == 255
    assert subprocess.run([*command, "--nonsense"], check=False).returncode == 254
    outside = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert (outside.returncode, outside.stderr.count("\n")) == (1, 1)
    assert outside.stderr.startswith("error: expected a project of DVC here")


LINKED = """\
  linked:
    cmd: cp data/local_models/{0}/weights c.txt
    deps: [data/local_models/{0}]
    outs: [c.txt]
"""


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ("models/mine", "the model of the params key models.mine.name"),
        ("bases/tuned", "the model of the params key finetune.runs.tuned.base"),
        ("labels/caption", "the model of the params key label.caption.model"),
        ("systems", "a file of the model of the params key systems.meant.model, or systems.meant.by"),
    ],
)
def test_a_model_that_is_gone_is_named(
    root: Path, link: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path("data", "local_models", link)
    place.mkdir(parents=True)
    model = root.parent / "elsewhere" / "weights"
    model.parent.mkdir()
    model.write_text("weights")
    if link == "systems":
        (place / "weights").write_text("")
        (place / "meant").mkdir()
        (place / "meant" / "weights").symlink_to(model)
        gone = model
    else:
        place.rmdir()
        place.symlink_to(gone := model.parent)
    Path("dvc.yaml").write_text(PIPELINE + LINKED.format(link))
    assert repro([]) == 0
    model.unlink()
    if gone != model:
        gone.rmdir()
    capsys.readouterr()
    with pytest.raises(InputError) as error:
        repro([])
    sentence = str(error.value)
    assert f"{named} at {gone}, found: No such file or directory; bring it back" in sentence
    assert ("dvc repro -f local_models" in sentence) == (link == "systems")
    assert "Errno" not in capsys.readouterr().err
    assert repro(["second"]) == 0, "what does not need it runs"


def test_dvc_writes_its_files_beside_themselves(root: Path) -> None:
    """A kill in the midst of writing, which a failing write stands for, leaves the old file; readers never see half."""
    from dvc.fs import localfs
    from dvc.utils.serialize import dump_yaml, modify_yaml

    lock, whole = Path("dvc.lock"), Path("dvc.lock").read_bytes()
    inode = lock.stat().st_ino
    with written_whole(root / ".dvc" / "tmp"):
        with pytest.raises(ZeroDivisionError), localfs.open("dvc.lock", "w", encoding="utf-8") as file:
            file.write("half")
            file.flush()
            assert lock.read_bytes() == whole
            raise ZeroDivisionError
        assert (lock.read_bytes(), lock.stat().st_ino) == (whole, inode)
        with modify_yaml("dvc.lock", fs=localfs):
            pass
        assert lock.stat().st_ino != inode, "renamed"
        inode = Path("pictures.dvc").stat().st_ino
        dump_yaml("pictures.dvc", {"outs": []})
        assert Path("pictures.dvc").stat().st_ino != inode
        with localfs.open("other.txt", "w") as file:
            file.write("as it is")
    inode = lock.stat().st_ino
    with modify_yaml("dvc.lock", fs=localfs):
        pass
    assert lock.stat().st_ino == inode, (
        "DVC itself truncates the file; if it no longer does, written_whole can go"
    )
    assert not [path for path in root.rglob("*.draft") if path.parent.name != "drafts"]


def test_a_run_renames_all_that_dvc_writes(root: Path) -> None:
    """So that no kill at any moment leaves half of it: a file that is written in place keeps its inode."""
    Path("in.txt").write_text("other\n")
    Path("pictures", "two").write_text("2")
    for path in (lock := Path("dvc.lock"), RWLOCK, tracked := Path("pictures.dvc")):
        path.with_name(f"{path.name}.link").hardlink_to(path)
    before = lock.read_bytes(), tracked.read_bytes()
    assert repro(["--all-pipelines"]) == 0
    assert (Path("dvc.lock.link").read_bytes(), Path("pictures.dvc.link").read_bytes()) == before
    assert (lock.read_bytes(), tracked.read_bytes()) != before
    for path in (lock, RWLOCK, tracked):
        assert not path.samefile(path.with_name(f"{path.name}.link")), path


def test_an_experiment_repairs_first_and_leaves_the_workspace(root: Path) -> None:
    shutil.copy(REPOSITORY / "params.yaml", root)
    subprocess.run("git add -A && git commit -qm params", shell=True, check=True)
    whole = Path("dvc.lock").read_bytes()
    Path("dvc.lock").write_bytes(b"a: !!bool x\n")
    assert experiment(["builtin"], load_params(), []) == {}
    assert Path("dvc.lock").read_bytes() == whole
    assert Path("ran.txt").read_text() == "first\nsecond\n", "it took what the last run made"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_in_a_stage_it_goes_on(root: Path, number: signal.Signals) -> None:
    pipeline = PIPELINE.replace("cp a.txt b.txt", "cp a.txt b.txt && test -e go || sleep 60")
    Path("dvc.yaml").write_text(pipeline)
    command = [sys.executable, "-m", "text2image.cli", "repro"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("> cp a.txt b.txt"):
                break
        time.sleep(0.2)  # for the shell to have begun
        os.killpg(process.pid, number)
    assert process.returncode == (-number if number != signal.SIGINT else 255)
    Path("go").touch()
    assert repro([]) == 0
    assert Path("b.txt").read_text() == "content\n"
