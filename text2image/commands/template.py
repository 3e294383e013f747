"""What a new project is made of: the repository's own files, and how they are changed for somebody's own images.

In the checkout the template is the repository itself; setup.py copies the same files into a wheel, so that nothing
is kept twice. setup.py runs this module by its path: it imports the standard library alone.
"""

import re
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
    "data/fields/.gitignore",
    "data/local_models/.gitignore",
    "data/splits/.gitignore",
    "data/tuned/.gitignore",
    "dvc.yaml",
    "params.yaml",
    "stages/__init__.py",
)
RENEWED = ("dvc.yaml", "stages/", "data/fields/.gitignore", "data/local_models/.gitignore")
"""What `t2i init --update` writes again, since it belongs to the version of the library: stages, and a folder that must be."""

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
    texts["params.yaml"] = with_own_images(texts["params.yaml"])
    pipeline = texts["dvc.yaml"]
    texts["dvc.yaml"] = HEAD + PART.sub(r"library/\1.txt", pipeline[pipeline.index("stages:\n") :])
    return texts | EXAMPLE


def with_own_images(params: str) -> str:
    """Return params.yaml set up for somebody's own images: the lines ``PARAMS`` changed.

    In a checkout whose params.yaml was written anew, which has other lines, the values are set and comments are lost.
    """
    if all(params.count(old) == 1 for old in PARAMS):
        for old, new in PARAMS.items():
            params = params.replace(old, new)
        return params
    import yaml

    values = yaml.safe_load(params)
    values["data"]["images"] = IMAGES
    values["label"]["sources"] = ["ocr", "imagenet"]
    values["label"]["human"]["path"] = CAPTIONS
    values["label"]["imagenet"]["threshold"] = 0.30
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def parts(pipeline: str) -> set[str]:
    """Return the parts of the library that a dvc.yaml with records depends on; ``${item}`` is any folder there."""
    paths = set()
    for part in re.findall(r"- library/(\S+)\.txt$", pipeline, re.MULTILINE):
        pattern = re.sub(r"\$\{[^}]*\}", "*", part)
        paths |= {
            path for path in PACKAGE.glob(pattern) if part == pattern or (path / "__init__.py").exists()
        }
    return {path.relative_to(PACKAGE).as_posix() for path in paths}
