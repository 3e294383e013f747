"""Rewrite the figures, pictures and outputs that the documents quote.

`make readme` runs it, after a `dvc repro` on the sample. Tables stand between markers: the measures, and what the
last `make bench` wrote to benchmarks/results.csv. The pictures are the first rows of sheets that the pipeline draws;
docs/investigation.md shows what its commands print.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageColor

from benchmarks.table import Row, between, multiple, read, renew_guide
from docs.commands import commands, with_outputs
from text2image.evaluation.curves import marked
from text2image.lockfile.checks import check_current
from text2image.pages.sheets.sheet import MARGIN
from text2image.pages.theme import RULE

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
INVESTIGATION = ROOT / "docs" / "investigation.md"
METRICS = ROOT / "metrics" / "metrics.json"
KINDS_BEGIN, KINDS_END = "<!-- kinds: written by `make readme` -->", "<!-- /kinds -->"
BEGIN, END = "<!-- results: written by `make readme` -->", "<!-- /results -->"
SPEED_BEGIN, SPEED_END = "<!-- speed: written by `make readme` -->", "<!-- /speed -->"
COLUMNS = {"MRR": "mrr", "HitRate@5": "hit_rate@5", "HitRate@10": "hit_rate@10"}
SHOWN = "hit_rate@5"  # of each kind of query
KINDS = {
    "product": "the product",
    "headline": "the words",
    "both": "product and words",
}  # and what is remembered
QUOTED = {  # rows of the benchmarks, by name and reference, and what README says of them
    ("embed_images, fp32", "DataLoader loop, fp32"): "in fp32, against a `DataLoader` loop",
    ("embed_images, fp32", "bound, fp32"): "in fp32, against start-up, forward pass and decoding alone",
    ("embed_images, bf16", "DataLoader loop, fp32"): "in bf16, against the loop in fp32",
    ("ranks, first 100, best irrelevant image", "matrix products alone"): "against the products alone",
    ("pytrec_eval", "from exact ranks (ours)"): "pytrec_eval, against ours from exact ranks",
    ("`dvc repro`, nothing changed", "from the catalog to the measures, one stage after the other"): (
        "`dvc repro` with nothing changed, against everything"
    ),
}
PICTURES = {  # sheets, and how many of their queries README shows
    "plots/examples/human/instructive.png": ("differ.webp", 4),
    "plots/examples/human/builtin-worst.png": ("worst.webp", 3),
}


def kinds(metrics: dict[str, Any]) -> str:
    """Return how often each system finds the right image, by kind of query, and which systems are best, in Markdown.

    Nothing of metrics whose human labels have no kinds.
    """
    systems = {
        name: row["kinds"]
        for name, sources in metrics.items()
        if (row := sources.get("human", {})).get("kinds")
    }
    if not systems:
        return ""
    first = next(iter(systems.values()))
    names = sorted(first, key=lambda kind: ([*KINDS, kind].index(kind), kind))
    heads = [f"{KINDS.get(kind, kind)} ({first[kind]['n_queries']} queries)" for kind in names]
    by_chance = [percent(first[kind]["chance"][SHOWN]) for kind in names]
    rows = [
        ["what people remember of an advertisement", *heads],
        ["---", *("---:" for _ in names)],
        *([f"`{name}`", *(share(row[kind]) for kind in names)] for name, row in systems.items()),
        ["by chance", *by_chance],
    ]
    best = [
        f"by {KINDS.get(kind, kind)}: {' or '.join(f'`{name}`' for name in best_systems(systems, kind))}"
        for kind in names
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", f"Best {'; '.join(best)}."])


def share(row: dict[str, Any]) -> str:
    """Return the share of a kind's queries whose image is found, with its interval if there is one."""
    low, high = row[f"{SHOWN}_low"], row[f"{SHOWN}_high"]
    interval = "" if low is None or high is None else f" [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{percent(row[SHOWN])}{interval}"


def percent(value: float) -> str:
    """Return a share as README writes it."""
    return f"{100 * value:.0f} %"


def best_systems(systems: dict[str, Any], kind: str) -> list[str]:
    """Return the system that finds most of a kind's queries, and those whose share is within its interval."""
    shares = {name: row[kind][SHOWN] for name, row in systems.items()}
    ordered = sorted(shares, key=lambda name: -shares[name])
    low = systems[ordered[0]][kind][f"{SHOWN}_low"]
    return [name for name in ordered if shares[name] >= (shares[ordered[0]] if low is None else low)]


def table(metrics: dict[str, Any]) -> str:
    """Return the measures of every system and source as a Markdown table, with intervals and chance level."""
    head = f"| system | labels | queries | images | {' | '.join(COLUMNS)} |"
    rows = [head, f"| --- | --- | {' | '.join('---:' for _ in range(len(COLUMNS) + 2))} |"]
    for system, sources in metrics.items():
        for source, row in sources.items():
            cells = [measure(row, key) for key in COLUMNS.values()]
            rows.append(
                f"| {marked(system, circular=bool(row.get('circular')))} | {source} | {row['n_queries']} "
                f"| {row['n_images']} | {' | '.join(cells)} |"
            )
    return "\n".join(rows)


def measure(row: dict[str, Any], key: str) -> str:
    """Return a measure with its interval, if there are enough independent queries for one, and chance level."""
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    interval = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
    return f"{row[key]:.2f}{interval} ({row['chance'][key]:.2f})"


def speed(rows: list[Row]) -> str:
    """Return the benchmarks' rows that README quotes as a Markdown table."""
    lines = ["| | time, as a multiple |", "| --- | ---: |"]
    for row in rows:
        if called := QUOTED.get((row.name, row.reference)):
            subject = row.part.removesuffix(", process start included")
            lines.append(f"| {subject}: {called} | {multiple(row.ratio)} |")
    return "\n".join(lines)


def with_tables(text: str, metrics: dict[str, Any], rows: list[Row]) -> str:
    """Return README's text with the tables between the markers replaced.

    Raises:
        ValueError: the markers are not there.
    """
    text = between(text, kinds(metrics), KINDS_BEGIN, KINDS_END)
    return between(between(text, table(metrics), BEGIN, END), speed(rows), SPEED_BEGIN, SPEED_END)


def crop_pictures() -> None:
    """Write the first queries of each sheet to docs/images."""
    for source, (name, n_queries) in PICTURES.items():
        target = ROOT / "docs" / "images" / name
        target.parent.mkdir(exist_ok=True)
        with Image.open(ROOT / source) as sheet:
            sheet.crop((0, 0, sheet.width, end_of_rows(sheet, n_queries))).save(target, quality=82)


def end_of_rows(sheet: Image.Image, n: int) -> int:
    """Return where the first ``n`` rows of a sheet end: at the rule over the next, or at its end if there is none."""
    inner = np.asarray(sheet.convert("RGB"))[:, MARGIN:-MARGIN]
    rules = np.flatnonzero((inner == ImageColor.getrgb(RULE)).all(axis=(1, 2)))
    return int(rules[n]) if n < len(rules) else sheet.height


def printed(command: str) -> str:
    """Return what a command prints as data."""
    print(f"$ {command}")
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def renew_outputs() -> None:
    """Run what docs/investigation.md shows the output of; its experiment first, which leaves no trace here."""
    text = INVESTIGATION.read_text(encoding="utf-8")
    experiments = [c.text for c in commands(text) if c.text.startswith("dvc exp run") and not c.needs]
    for experiment in experiments:
        printed(f"{experiment} --force")
    INVESTIGATION.write_text(with_outputs(text, printed), encoding="utf-8")
    for experiment in experiments:
        printed(f"dvc exp remove {experiment.split(' -n ')[1].split()[0]}")


if __name__ == "__main__":
    check_current(METRICS.relative_to(ROOT))
    metrics = json.loads(METRICS.read_text(encoding="utf-8"))
    README.write_text(with_tables(README.read_text(encoding="utf-8"), metrics, read()), encoding="utf-8")
    renew_guide(read())
    crop_pictures()
    renew_outputs()
