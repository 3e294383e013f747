"""Write the advertisements of many campaigns, their captions, and what is known of each file."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from text2image.base.console import progress
from text2image.formats.tables import write_csv
from text2image.sample.cutouts import Cutout, read_cutouts
from text2image.sample.plan import plan_campaign
from text2image.sample.render import encode, render

FOLDERS = ("0", "1")


class Truth(NamedTuple):
    """What is known of a file; ``headline_px`` is the size of the headline's font, ``text`` all that is drawn."""

    path: str
    campaign: int
    rendition: int
    cutout: str
    kind: str
    headline: str
    headline_px: int
    text: str


def write_sample(cutout_folder: Path, output: Path, campaigns: int, seed: int, workers: int) -> list[Truth]:
    """Write ``output`` and, beside it, ``…_captions.csv`` and ``…_truth.csv``: all of them or none.

    Raises:
        InputError: the folder of cut-outs is not as it should be.
    """
    cutouts = read_cutouts(cutout_folder)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as name:
        draft = Path(name)
        truth = compose_sample(cutouts, draft / "images", campaigns=campaigns, seed=seed, workers=workers)
        write_csv(draft / "captions.csv", ("path", "text"), _captions(truth, cutouts))
        write_csv(draft / "truth.csv", Truth._fields, truth)
        if output.exists():
            shutil.rmtree(output)
        (draft / "images").replace(output)
        for table in ("captions.csv", "truth.csv"):
            (draft / table).replace(output.with_name(f"{output.name}_{table}"))
    return truth


def compose_sample(
    cutouts: Sequence[Cutout], folder: Path, *, campaigns: int, seed: int, workers: int
) -> list[Truth]:
    """Write all creatives below ``folder``; return what is known of them, sorted by path.

    The files depend on ``seed`` and the campaign's number only: more campaigns, or more
    ``workers`` (processes; for 1 none is started), change no file.
    """
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    compose = partial(compose_campaign, seed=seed, cutouts=cutouts, folder=folder)
    truth: list[Truth] = []
    with (
        ProcessPoolExecutor(workers) as pool,
        progress(total=campaigns, unit="campaign", title="sample") as bar,
    ):
        numbers = range(campaigns)
        for rows in pool.map(compose, numbers, chunksize=8) if workers > 1 else map(compose, numbers):
            truth += rows
            bar.update()
    return sorted(truth)


def compose_campaign(campaign: int, *, seed: int, cutouts: Sequence[Cutout], folder: Path) -> list[Truth]:
    """Write the files of one campaign below ``folder`` and return what is known of them."""
    truth: list[Truth] = []
    data = b""
    for rendition in plan_campaign(seed, campaign, cutouts):
        creative = render(rendition)
        if rendition.kind != "copy":  # a copy is the very bytes of the original, which came just before
            data = encode(creative.image, rendition.path.rpartition(".")[2], rendition.quality)
        (folder / rendition.path).write_bytes(data)
        headlines = [(text.text, text.font_px) for text in creative.texts if text.kind == "headline"]
        text = " | ".join(text.text for text in creative.texts)
        head = (rendition.path, campaign, rendition.number, rendition.cutout.path.name, rendition.kind)
        truth.append(Truth(*head, *(headlines or [("", 0)])[0], text))
    return truth


def _captions(truth: Iterable[Truth], cutouts: Iterable[Cutout]) -> Iterator[tuple[str, str]]:
    """Yield (path, caption) for every file and every caption of the object that it shows."""
    captions = {cutout.path.name: cutout.captions for cutout in cutouts}
    for row in truth:
        for caption in captions[row.cutout]:
            yield row.path, caption
