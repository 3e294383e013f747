"""What a new project is made of: the repository's own files, and how they are changed for somebody's own images.

In the checkout the template is the repository itself; setup.py copies the same files into a wheel, so that nothing
is kept twice. setup.py runs this module by its path: it imports the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
COPY = PACKAGE / "template"  # in a wheel alone
IMAGES, CAPTIONS = "data/images", "data/captions.csv"
ALWAYS = (
    ".dvc/.gitignore",
    ".dvc/config",
    ".dvcignore",
    ".gitignore",
    "data/judgements.csv",
    "data/splits/.gitignore",
    "data/tuned/.gitignore",
    "dvc.yaml",
    "params.yaml",
    "stages/__init__.py",
)
RENEWED = ("dvc.yaml", "stages/")
"""What `t2i init --update` writes again, since it belongs to the version of the library."""

PART = re.compile(r"(?<=- )text2image/(\S+)$", re.MULTILINE)
HEAD = """\
# The pipeline, written by `t2i init`. A stage passes only names in `cmd` (a value there would rerun it when it
# changes) and lists what can change its result: files, params leaves, and the parts of the installed library that it
# uses, by their digests in library/, which `t2i init --update` renews after an upgrade.
# Only `catalog` depends on the image folder; the others read the manifest that it writes.
"""
PARAMS = {
    "  images: data/sample\n": f"  images: {IMAGES}\n",
    "  sources: [human, imagenet, ocr]\n": "  sources: [ocr, imagenet]\n",
    "    path: data/sample_captions.csv ": f"    path: {CAPTIONS} ",
    "    threshold: 0.85 ": "    threshold: 0.30 ",  # of which the built-in classifier is confident often enough
}
EXAMPLE = {
    CAPTIONS: "path,text\n0/picture.jpg,what the picture shows; add human to label.sources to use this file\n",
}


def root() -> Path:
    """Return the folder that holds the template's files."""
    return COPY if COPY.is_dir() else PACKAGE.parent


def files(folder: Path) -> list[str]:
    """Return the names of the template's files below ``folder``: the stages are those that dvc.yaml runs."""
    pipeline = (folder / "dvc.yaml").read_text(encoding="utf-8")
    stages = {f"stages/{name}.py" for name in re.findall(r"python -m stages\.(\w+)", pipeline)}
    return sorted({*ALWAYS, *stages})


def contents() -> dict[str, str]:
    """Return ``{name: text}`` of a new project's files."""
    texts = {name: (root() / name).read_text(encoding="utf-8") for name in files(root())}
    texts["params.yaml"] = _replaced(texts["params.yaml"], PARAMS)
    texts["dvc.yaml"] = _with_records(texts["dvc.yaml"])
    return texts | EXAMPLE


def parts(pipeline: str) -> set[str]:
    """Return the parts of the library that a dvc.yaml with records depends on; ``${item}`` is any folder there."""
    named = re.findall(r"- library/(\S+)\.txt$", pipeline, re.MULTILINE)
    found = set()
    for part in named:
        if "${" in part:
            folders = PACKAGE.glob(re.sub(r"\$\{[^}]*\}", "*", part))
            found |= {
                path.relative_to(PACKAGE).as_posix() for path in folders if (path / "__init__.py").exists()
            }
        else:
            found.add(part)
    return found


def _with_records(pipeline: str) -> str:
    """Return dvc.yaml with records of the library in place of its directories, and without remarks on the checkout."""
    body = pipeline[pipeline.index("stages:\n") :]
    return HEAD + PART.sub(r"library/\1.txt", body)


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        if text.count(old) != 1:
            raise ValueError(f"expected the line {old.strip()!r} once in the template's params.yaml")
        text = text.replace(old, new)
    return text
