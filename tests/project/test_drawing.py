"""README's drawing and table of the pipeline say what dvc.yaml says."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

import yaml

from tests.support.pipeline import REPOSITORY

README = (
    (REPOSITORY / "README.md")
    .read_text(encoding="utf-8")
    .split("## What each stage does")[1]
    .split("\n## ")[0]
)
ITEMS = {
    "embed.models": "MODEL",
    "retrieve.fields": "FIELD",
    "retrieve.systems": "SYSTEM",
    "index.models": "MODEL",
    "label.sources": "SOURCE",
    "finetune.models": "NAME",
}
INPUTS = {
    "${data.images}": "your images",
    "${label.human.path}": "your texts",
    "data/judgements.csv": "judgements",
}


def stages() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield ``(name, definition)`` of every stage; what is declared for many is named like ``label@SOURCE``."""
    for name, stage in yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"].items():
        lists = [stage["foreach"]] if "foreach" in stage else stage.get("matrix", {}).values()
        items = "-".join(ITEMS[re.sub(r"[${}]", "", names)] for names in lists)
        yield f"{name}@{items}" if items else name, stage.get("do", stage)


def written(stage: Mapping[str, Any]) -> list[str]:
    outs = [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in outs]


def overlap(one: str, other: str) -> bool:
    """Return whether two paths, with ``${…}`` for any name, are the same, or one is inside the other."""
    parts = [re.sub(r"\$\{[^}]*\}", "*", path).split("/") for path in (one, other)]
    return all(fnmatch(a, b) or fnmatch(b, a) for a, b in zip(*parts, strict=False))


def read_from() -> dict[str, set[str]]:
    """Return ``{stage: the inputs of the pipeline and the other stages' outputs that it reads, by their names}``."""
    every = list(stages())
    result: dict[str, set[str]] = {}
    for name, stage in every:
        data = [read for read in stage.get("deps", ()) if not read.startswith(("stages/", "text2image/"))]
        writers = {
            other.split("@")[0]
            for read in data
            if read not in INPUTS
            for other, its in every
            if any(overlap(read, out) for out in written(its))
        }
        result[name] = writers | {INPUTS[read] for read in data if read in INPUTS}
    return result


def test_the_table_has_every_stage_and_what_it_reads() -> None:
    rows = re.findall(r"^\| `([\w@-]+)` \|([^|]*)\|", README, re.MULTILINE)
    said = {name: set(filter(None, reads.strip().replace("`", "").split(", "))) for name, reads in rows}
    assert said == read_from()


def test_the_drawing_has_every_stage_and_input() -> None:
    drawing = README.split("```")[1]
    for name in [*INPUTS.values(), *(name for name, _ in stages())]:
        assert re.search(rf"(?<![\w@]){re.escape(name)}(?![\w@-])", drawing), name
