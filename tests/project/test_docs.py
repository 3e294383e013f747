"""Every command in the documents is run, on a small project; the guide's own example is done as it says."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from docs.commands import DOCUMENTS, Command, commands
from tests.support.chat_server import KEY, ChatServer
from tests.support.pipeline import REPOSITORY, Project

pytestmark = pytest.mark.pipeline

GUIDE = (REPOSITORY / "docs" / "labels.md").read_text(encoding="utf-8")
SECONDS = 240.0
NEEDS = {
    "",
    "background",  # it goes on when the command has ended
    "browser",  # it serves a page until it is interrupted
    "ci",  # .ci/run runs it
    "cluster",  # other machines, or packages installed on them
    "hub",  # weights from the Hugging Face hub: here it must say what to do without
    "sample",  # more labels than the tests' project has: tests/pipeline/test_finetuning.py makes the like of it
    "key",  # a paid service; the tests have a server in its place
}


@pytest.fixture
def user(project: Project, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A finished project of a user who has creatives at home and an account for a vision model."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    shutil.copytree(project.root / "data" / "images", tmp_path / "home" / "creatives")
    project.set(label__openai__base_url=server.base_url, label__openai__model="test-model")
    project.run("dvc", "add", "-q", "data/images")
    project.commit("images and an account")
    return project


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_a_document_does_what_it_says(document: Path, user: Project) -> None:
    for command in commands(document.read_text(encoding="utf-8")):
        assert command.needs in NEEDS, command
        if command.needs == "ci":
            assert command.text in (REPOSITORY / ".ci" / "run").read_text(), command
        elif command.needs in ("background", "cluster", "sample"):
            print(f"{document.name}: not run, it takes more than a test has: {command.text}")
        elif command.needs == "browser":
            serve(user, command)
        else:
            do(user, command)


def test_the_readme_points_params_to_own_images_and_changes_nothing_else(tmp_path: Path) -> None:
    readme = commands((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    (edit,) = (command.text for command in readme if command.text.startswith("sed "))
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    wanted = yaml.safe_load((tmp_path / "params.yaml").read_text())
    wanted["data"]["images"] = "data/images"
    wanted["label"]["sources"] = ["imagenet", "ocr"]
    subprocess.run(["bash", "-c", edit], cwd=tmp_path, check=True)
    assert yaml.safe_load((tmp_path / "params.yaml").read_text()) == wanted


def test_dvc_shows_no_figures_of_the_sample_beside_those_of_own_images() -> None:
    """Stages take them away with the sample, and DVC would say at each `dvc metrics show` that it failed to load some."""
    stages = yaml.safe_load((REPOSITORY / "sample" / "dvc.yaml").read_text())["stages"]
    assert [name for name, stage in stages.items() if {"metrics", "plots"} & stage.keys()] == []


def do(user: Project, command: Command) -> None:
    """Run a command; what needs the hub must fail with one sentence that says what to do without."""
    output = user.run("bash", "-c", as_here(command.text), check=command.needs != "hub")
    assert "Traceback" not in output, output
    if command.needs == "hub":
        assert re.search(r"^error: .*HF_HOME", output, re.MULTILINE), output


def as_here(text: str) -> str:
    """Return a command that takes this environment for the one that make would install."""
    made = re.sub(r"\.installed-(\w+)", r"\1", text)
    if not made.startswith("make "):
        return re.sub(r"^export OPENAI_API_KEY=.*", "true", made)
    there = " ".join(
        f"-o {sys.prefix}/.installed-{extra}" for extra in ("app", "bench", "finetune", "ray", "test")
    )
    return f"make VENV={sys.prefix} -o install {there} {text.removeprefix('make ')}"


def serve(user: Project, command: Command) -> None:
    """Run a command until it says where its page is, then interrupt it as Ctrl-C does."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {as_here(command.text)}"], cwd=user.root, text=True, start_new_session=True,
        env=user.environment() | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        said = until(process, "http://127.0.0.1:")
        assert "http://127.0.0.1:" in said, said
    finally:
        os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
    assert "Traceback" not in rest, rest


def until(process: subprocess.Popen[str], awaited: str) -> str:
    """Return what a process printed until it printed ``awaited``, ended, or took too long."""
    assert process.stdout is not None
    said, end = "", time.monotonic() + SECONDS
    while awaited not in said and time.monotonic() < end and process.poll() is None:
        if select.select([process.stdout], [], [], 1.0)[0]:
            said += os.read(process.stdout.fileno(), 65536).decode()
    return said


def test_a_source_of_ones_own(project: Project) -> None:
    (module,) = re.findall(r"```python\n(.*?)```", GUIDE.split("## A source of your own")[1], re.DOTALL)
    folder = project.root / "text2image" / "labels" / "filename"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "source.py").write_text(module)
    settings = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[-1])["label"]
    project.set(label__sources=settings["sources"], label__filename=settings["filename"])
    assert "label@filename" in project.repro("label@filename")
    labels = (project.root / "data" / "labels" / "filename.csv").read_text().splitlines()
    assert len(labels) == 11
    assert labels[1].split(",")[1] == "photo"
    assert (project.root / "data" / "queries" / "filename.tsv").exists()
