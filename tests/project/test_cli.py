"""``t2i``: what people type, and what it says when they mistype it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import text2image
from tests.support.pipeline import REPOSITORY
from text2image.cli import COMMANDS, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    listed = capsys.readouterr().out.splitlines()
    for name, what in COMMANDS.items():
        assert f"  {name:<10}  {what}" in listed


def test_every_command_is_a_module_and_every_module_a_command() -> None:
    modules = {path.stem for path in (REPOSITORY / "text2image" / "commands").glob("*.py")}
    assert modules - {"__init__", "template"} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: t2i {name} ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "error: expected a command; `t2i --help`"),
        (["serach"], "error: argument COMMAND: invalid choice: 'serach'"),
        (["init"], "error: expected a folder for the new project; `t2i init --help`"),
        (["store", "burn"], "error: argument what: invalid choice: 'burn'"),
        (["search", "-k", "none"], "error: argument -k: "),
        (["judge"], "error: the following arguments are required: source; `t2i judge --help`"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(sentence)
    assert said.count("\n") == 1


def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["search", "a text"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: expected the parameters in params.yaml")


def test_the_version_is_in_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"t2i {text2image.__version__}\n"
    with pytest.raises(AttributeError):
        _ = text2image.nothing


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, text2image.cli; print(*{'torch', 'numpy', 'pandas', 'dvc'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", ["sample", "label"])  # of the two ways in
def test_no_stage_runs_when_it_is_asked_for_help(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{name}", "--help"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m stages.{name} [-h]")
    assert list(tmp_path.iterdir()) == []
