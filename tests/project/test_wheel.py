"""The package as somebody installs it: a wheel in an environment of its own, far from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.support.pipeline import Project, add_photographs, copy_checkout

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


class Installed(Project):
    """A project of somebody who has the wheel alone."""

    bin: Path

    def environment(self) -> dict[str, str]:
        """Return an environment without the checkout, where the wheel's is active."""
        inherited = super().environment()
        del inherited["PYTHONPATH"]
        return inherited | {"PATH": f"{self.bin}{os.pathsep}{inherited['PATH']}"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from what git has or would have."""
    folder = tmp_path_factory.mktemp("wheel")
    copy_checkout(folder / "source", without=("sample/", "tests/"))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, "."],
        cwd=folder / "source", check=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def user(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel; what it depends on comes from this environment."""
    home = tmp_path_factory.mktemp("home")
    venv.create(home / "venv", with_pip=False, symlinks=True)
    bin_folder = home / "venv" / "bin"
    here = sysconfig.get_path("purelib")
    there = Path(sysconfig.get_path("purelib", vars={"base": str(home / "venv")}))
    install = [sys.executable, "-m", "pip", "--python", str(bin_folder / "python"), "install", "-q"]
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True)
    (there / "neighbours.pth").write_text(
        f"{here}\n"
    )  # a path, not a site folder: no editable install among them
    (bin_folder / "dvc").write_text(
        f"#!{bin_folder / 'python'}\nfrom dvc.cli import main\nraise SystemExit(main())\n"
    )
    (bin_folder / "dvc").chmod(0o755)
    project = Installed(home)
    project.bin = bin_folder
    return project


def test_the_wheel_holds_the_library_its_pages_and_the_template(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"text2image"}
    kinds = {Path(name).suffix for name in names if name.startswith("text2image/pages/")}
    assert {".css", ".html", ".jinja", ".js"} <= kinds
    template = {name.removeprefix("text2image/template/") for name in names if "/template/" in name}
    assert {"dvc.yaml", "params.yaml", "stages/__init__.py", "stages/catalog.py", ".dvc/config"} <= template
    assert not {name for name in template if "sample" in name or name.startswith("metrics")}


def test_a_project_of_ones_own_images(user: Installed) -> None:
    where = user.run("python", "-c", "import text2image; print(text2image.__file__, text2image.__version__)")
    assert where.startswith(str(user.root / "venv"))
    assert "search" in user.run("t2i", "--help")

    user.run("t2i", "init", "demo")
    demo = Installed(user.root / "demo")
    demo.bin = user.bin
    for path in add_photographs(demo, range(10)):
        write_on(demo.root / "data" / "images" / path)
    ran = demo.repro()
    assert {"catalog", "label@ocr", "label@imagenet", "embed_images@builtin", "evaluate"} <= ran
    figures = json.loads((demo.root / "metrics" / "metrics.json").read_text())["builtin"]
    assert figures["ocr"]["n_images"] == 10
    assert 0 < figures["ocr"]["mrr"] <= 1
    assert demo.repro() == set()
    said = demo.run("t2i", "search", "a red fruit", "--json")
    assert len(json.loads(said[said.index("[") :])) == 10

    record = demo.root / "library" / "retrieval.txt"
    record.write_text("of an earlier version\n")
    demo.commit("results of an earlier version")
    said = demo.run("dvc", "repro", "evaluate")
    assert "the installed text2image is not the one that library/ records (retrieval)" in said
    demo.run("t2i", "init", "--update")
    again = demo.repro()
    assert not {name for name in again if name.startswith(("catalog", "label", "embed_"))}


def write_on(path: Path) -> None:
    """Print a picture's name on it, in letters that can be read."""
    with Image.open(path) as picture:
        page = Image.new("RGB", (480, 560), "white")
        page.paste(picture.resize((480, 480)))
    words = f"OFFER {path.stem.split()[-1]} OF TEN"
    ImageDraw.Draw(page).text((20, 490), words, fill="black", font=ImageFont.load_default(44))
    page.save(path, quality=90)
