"""Stage sample: compose the advertising creatives that come with the project from sample/cutouts.

Writes the creatives to data/sample/0 and data/sample/1, their captions to
data/sample_captions.csv and what is known about each file to data/sample_truth.csv.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from text2image.base.console import progress, run, say
from text2image.base.settings import load_settings
from text2image.sample.cutouts import Cutout, read_cutouts
from text2image.sample.plan import plan_campaign
from text2image.sample.render import encode, render
from text2image.sample.settings import Sample

CUTOUTS = Path("sample/cutouts")
SETTINGS = Path("sample/params.yaml")
OUTPUT = Path("data/sample")
FOLDERS = ("0", "1")
TRUTH_COLUMNS = ("path", "campaign", "rendition", "cutout", "kind", "headline", "headline_px", "text")
Row = tuple[str, int, int, str, str, str, int, str]  # TRUTH_COLUMNS; headline_px is the font size


def compose_campaign(campaign: int, *, seed: int, cutouts: Sequence[Cutout], folder: Path) -> list[Row]:
    """Write the files of one campaign below ``folder`` and return their rows of the truth table."""
    rows: list[Row] = []
    data = b""
    for rendition in plan_campaign(seed, campaign, cutouts):
        creative = render(rendition)
        if rendition.kind != "copy":  # a copy is the very bytes of the original, which came just before
            data = encode(creative.image, rendition.path.rpartition(".")[2], rendition.quality)
        (folder / rendition.path).write_bytes(data)
        headline = next((text.text for text in creative.texts if text.kind == "headline"), "")
        text = " | ".join(text.text for text in creative.texts)
        name, number, kind = rendition.cutout.path.name, rendition.number, rendition.kind
        rows.append((rendition.path, campaign, number, name, kind, headline, creative.headline_px, text))
    return rows


def compose_sample(
    cutouts: Sequence[Cutout], folder: Path, *, campaigns: int, seed: int, workers: int
) -> list[Row]:
    """Write all creatives below ``folder``; return the truth table, sorted by path.

    The files depend on ``seed`` and the campaign's number only: more campaigns, or more
    ``workers`` (processes; below 2 none is started), change no file.
    """
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    compose = partial(compose_campaign, seed=seed, cutouts=cutouts, folder=folder)
    if workers < 2:
        return _collect(map(compose, range(campaigns)), campaigns)
    with ProcessPoolExecutor(workers) as pool:
        return _collect(pool.map(compose, range(campaigns), chunksize=8), campaigns)


def _collect(results: Iterable[list[Row]], campaigns: int) -> list[Row]:
    table: list[Row] = []
    with progress(total=campaigns, unit="campaign", title="sample") as bar:
        for rows in results:
            table += rows
            bar.update()
    return sorted(table)


def write_sample(cutout_folder: Path, output: Path, *, campaigns: int, seed: int, workers: int) -> list[Row]:
    """Write ``output`` and, beside it, ``…_captions.csv`` and ``…_truth.csv``: all of them or none.

    Raises:
        InputError: the folder of cut-outs is not as it should be.
    """
    cutouts = read_cutouts(cutout_folder)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as name:
        draft = Path(name)
        rows = compose_sample(cutouts, draft / "images", campaigns=campaigns, seed=seed, workers=workers)
        _write_table(draft / "captions.csv", ("path", "text"), _captions(rows, cutouts))
        _write_table(draft / "truth.csv", TRUTH_COLUMNS, rows)
        if output.exists():
            shutil.rmtree(output)
        (draft / "images").replace(output)
        for table in ("captions.csv", "truth.csv"):
            (draft / table).replace(output.with_name(f"{output.name}_{table}"))
    return rows


def _captions(rows: Iterable[Row], cutouts: Iterable[Cutout]) -> Iterator[tuple[str, str]]:
    """Yield (path, caption) for every file and every caption of the object that it shows."""
    captions = {cutout.path.name: cutout.captions for cutout in cutouts}
    for row in rows:
        for caption in captions[row[3]]:
            yield row[0], caption


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def main() -> None:
    settings = load_settings(SETTINGS, Sample)
    rows = write_sample(
        CUTOUTS, OUTPUT, campaigns=settings.campaigns, seed=settings.seed, workers=os.cpu_count() or 1
    )
    say(f"sample: {len(rows)} files of {settings.campaigns} campaigns in {OUTPUT}")


if __name__ == "__main__":
    run(main)
