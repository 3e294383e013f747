"""Write the advertisements of many campaigns, their captions, and what is known of each file."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import NamedTuple

from text2image.base.console import InputError, progress
from text2image.base.processes import begin_worker
from text2image.formats.files import draft_prefix
from text2image.formats.tables import write_csv
from text2image.sample.captions import Caption, Shown, write_captions
from text2image.sample.cutouts import Cutout, read_cutouts
from text2image.sample.plan import Rendition, plan_campaign
from text2image.sample.render import alter, draw, encode
from text2image.sample.templates import plan_template
from text2image.sample.text import TextBox

FOLDERS = ("0", "1")
Plan = Callable[[], list[Rendition]]
"""What gives the files of one campaign."""


class Truth(NamedTuple):
    """What is known of a file: a row of data/sample_truth.csv.

    Attributes:
        path: relative to the sample's folder.
        campaign: its number, or ``template-NUMBER``.
        rendition: the number of the file in its campaign.
        picture: files with the same one are the same picture, or altered copies of it.
        cutout: the file of the object that it shows.
        hue: by how much the object's colours are turned, in 256ths of the circle of hues.
        kind: ``original``, ``rendition``, ``near_duplicate`` or ``copy`` (the same bytes again).
        varies: in what the pictures of its campaign differ, one of :data:`text2image.sample.quality.DIFFERENCES`.
        alteration: what makes it a near-duplicate; else empty.
        headline, headline_px: the headline and the size of its font in pixels.
        brand: as it is drawn; else empty.
        text: all that is drawn.
    """

    path: str
    campaign: str
    rendition: int
    picture: str
    cutout: str
    hue: int
    kind: str
    varies: str
    alteration: str
    headline: str
    headline_px: int
    brand: str
    text: str


def write_sample(
    cutout_folder: Path, output: Path, *, campaigns: int, templates: int, seed: int, workers: int
) -> list[Truth]:
    """Write ``output`` and, beside it, ``…_captions.csv`` and ``…_truth.csv``: all of them or none.

    Raises:
        InputError: the folder of cut-outs is not as it should be.
    """
    cutouts = read_cutouts(cutout_folder)
    plans = planned(seed, cutouts, campaigns=campaigns, templates=templates)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=draft_prefix(output.name), dir=output.parent) as name:
        draft = Path(name)
        truth = compose_sample(plans, draft / "images", workers)
        write_csv(draft / "captions.csv", Caption._fields, captions_of_files(truth, cutouts, seed))
        write_csv(draft / "truth.csv", Truth._fields, truth)
        if output.exists():
            shutil.rmtree(output)
        (draft / "images").replace(output)
        for table in ("captions.csv", "truth.csv"):
            (draft / table).replace(output.with_name(f"{output.name}_{table}"))
    return truth


def planned(seed: int, cutouts: Sequence[Cutout], *, campaigns: int, templates: int) -> Sequence[Plan]:
    """Return what plans each campaign: first those of their own designs, then those made from a template.

    What each gives depends on ``seed`` and its number only: more campaigns or templates change no file.
    """
    own = [partial(plan_campaign, seed, number, cutouts) for number in range(campaigns)]
    return own + [partial(plan_template, seed, number, cutouts) for number in range(templates)]


def compose_sample(plans: Sequence[Plan], folder: Path, workers: int) -> list[Truth]:
    """Write all creatives below ``folder``; return what is known of them, sorted by path.

    More ``workers`` (processes; for 1 none is started) change no file.
    """
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    compose = partial(compose_campaign, folder=folder)
    truth: list[Truth] = []
    try:
        with (
            ProcessPoolExecutor(workers, initializer=begin_worker) as pool,
            progress(total=len(plans), unit="campaign", title="sample") as bar,
        ):
            for rows in pool.map(compose, plans, chunksize=8) if workers > 1 else map(compose, plans):
                truth += rows
                bar.update()
    except BrokenProcessPool:
        raise InputError(
            "expected the processes that compose the sample to end well, found that one was killed, probably for want "
            "of memory; run it again with less beside it"
        ) from None
    return sorted(truth)


def compose_campaign(plan: Plan, folder: Path) -> list[Truth]:
    """Write the files of one campaign below ``folder`` and return what is known of them."""
    truth: list[Truth] = []
    data, drawn = b"", {}
    for rendition in plan():
        if rendition.picture not in drawn:
            drawn = {rendition.picture: draw(rendition)}  # altered copies follow their original
        creative = alter(drawn[rendition.picture], rendition)
        if rendition.kind != "copy":  # a copy is the very bytes of the original, which came just before
            data = encode(creative.image, rendition.path.rpartition(".")[2], rendition.quality)
        (folder / rendition.path).write_bytes(data)
        truth.append(truth_of(rendition, creative.texts))
    return truth


def captions_of_files(truth: Iterable[Truth], cutouts: Iterable[Cutout], seed: int) -> Iterator[Caption]:
    """Yield what people write of every file."""
    files = [Shown(**{name: getattr(row, name) for name in Shown._fields}) for row in truth]
    return write_captions(files, {cutout.path.name: cutout for cutout in cutouts}, seed)


def truth_of(rendition: Rendition, texts: Sequence[TextBox]) -> Truth:
    """Return what is known of a rendition with these texts drawn on it."""
    drawn = {text.kind: text for text in reversed(texts)}
    headline, brand = drawn.get("headline"), drawn.get("brand")
    return Truth(
        path=rendition.path,
        campaign=rendition.campaign,
        rendition=rendition.number,
        picture=f"{rendition.campaign}/{rendition.picture}",
        cutout=rendition.cutout.path.name,
        hue=rendition.hue,
        kind=rendition.kind,
        varies=rendition.varies,
        alteration=rendition.alteration,
        headline=headline.text if headline else "",
        headline_px=headline.font_px if headline else 0,
        brand=brand.text if brand else "",
        text=" | ".join(text.text for text in texts),
    )
