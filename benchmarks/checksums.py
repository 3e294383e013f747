"""What checksums cost a run that finds everything in the store: ``python -m benchmarks.checksums [N]``.

``dvc repro`` runs the stage ``embed_images`` on N images (100,000 by default) whose vectors of 512 floats are all stored,
and the stage runs alone. Then the vectors are read from the store again and again, in turns as they are and as before rows
had checksums, which tells what of a run is the checksums'. Seconds are of processor time, of which others on the machine
take less, and the least of several turns counts. They may cost at most 5 % of the run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml

from benchmarks.table import Row, against, at_most, reference, report, require
from text2image.artifacts import ARTIFACTS
from text2image.base.store import LOOKUP_KEYS, Store
from text2image.collection.manifest import ManifestEntry
from text2image.encoders.vectors import Matrix, image_determinants
from text2image.formats.files import write_json
from text2image.formats.tables import write_csv
from text2image.params import load_params

DIM, BATCH = 512, 512
RUNS, TURNS = 3, 9
MAX_RATIO = 1.05
MODEL = "builtin"  # by name; what its card says is made up
CARD: dict[str, Any] = {
    "name": "made-up",
    "pretrained": None,
    "files": {},
    "views": ["whole"],
    "combine": "max",
}
ALONE = [sys.executable, "-m", "stages.embed_images", MODEL]
REPRO = ["dvc", "repro", "--force"]
REPOSITORY = Path(__file__).parents[1]


def read_unchecked(store: Store, keys: Iterable[str], decode: Callable[[bytes], Any]) -> Iterator[Any]:
    """Read without comparing checksums, nor reading them."""
    wanted = list(keys)
    for start in range(0, len(wanted), LOOKUP_KEYS):
        some = wanted[start : start + LOOKUP_KEYS]
        marks = ",".join("?" * len(some))
        yield from store._db.execute(f"SELECT key, value FROM results WHERE key IN ({marks})", some)


def make_project(root: Path, entries: int) -> list[str]:
    """Write a manifest, a model's card, a store with all vectors, and a pipeline of one stage into an empty folder.

    Returns the keys of the vectors.
    """
    params = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    os.chdir(root)
    Path("params.yaml").write_text(params, encoding="utf-8")
    os.environ["DVC_ROOT"] = str(root)
    rng = np.random.default_rng(1)
    ids = sorted(f"{number:016x}" for number in rng.choice(2**62, entries, replace=False))
    rows = (ManifestEntry(image_id, f"{image_id[:2]}/{image_id}.jpg", "", 640, 480) for image_id in ids)
    write_csv(ARTIFACTS.manifest, ManifestEntry._fields, rows)
    write_json(ARTIFACTS.card(MODEL), CARD)
    embed = load_params().embed
    with Store("embeddings", image_determinants(CARD, embed.precision, embed.decode)) as store:
        for start in range(0, entries, BATCH):
            some = ids[start : start + BATCH]
            vectors = rng.standard_normal((len(some), DIM)).astype(np.float32)
            store.put((key, row.tobytes()) for key, row in zip(some, vectors, strict=True))
    stage = {
        "cmd": " ".join(ALONE),
        "deps": [ARTIFACTS.manifest.as_posix(), ARTIFACTS.card(MODEL).as_posix()],
        "outs": [ARTIFACTS.image_vectors(MODEL).as_posix(), ARTIFACTS.views(MODEL).as_posix()],
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"embed_images": stage}}), encoding="utf-8")
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], check=True)
    return ids


def run_seconds(command: list[str]) -> float:
    """Return the processor time of a command and of what it runs."""
    before = os.times()
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False
    )
    after = os.times()
    assert done.returncode == 0, done.stderr
    return after.children_user + after.children_system - before.children_user - before.children_system


def read_seconds(keys: list[str], read: Callable[..., Any]) -> float:
    """Return the processor time in which all vectors are read."""
    embed = load_params().embed
    with (
        mock.patch.object(Store, "_read", read),
        Store("embeddings", image_determinants(CARD, embed.precision, embed.decode)) as store,
    ):
        before, matrix = time.process_time(), Matrix(keys)
        matrix.read(store)
        taken = time.process_time() - before
        assert not matrix.absent()
    return taken


def rows(entries: int = 100_000) -> Iterator[Row]:
    """Yield what the run takes without checksums, and with them."""
    with tempfile.TemporaryDirectory() as folder:
        here, root = Path.cwd(), os.environ.get("DVC_ROOT")
        keys = make_project(Path(folder), entries)
        whole, alone = (min(run_seconds(command) for _ in range(RUNS)) for command in (REPRO, ALONE))
        as_it_is = Store._read
        turns = [(read_seconds(keys, as_it_is), read_seconds(keys, read_unchecked)) for _ in range(TURNS)]
        os.chdir(here)
        os.environ.pop("DVC_ROOT")
        if root:
            os.environ["DVC_ROOT"] = root
    checked, unchecked = (min(kind) for kind in zip(*turns, strict=True))
    part = f"embedding again {entries:,} images that are all in the store, processor time"
    for name, seconds in (("`dvc repro`", whole), ("the stage alone", alone)):
        base = reference(part, f"{name}, without checksums", seconds - (checked - unchecked))
        row = against(base, f"{name}, every vector compared with its checksum", seconds)
        yield base
        yield at_most(row, MAX_RATIO) if seconds == whole else row


def main(entries: int) -> None:
    require(report(rows(entries)))


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m benchmarks.checksums")
    parser.add_argument("entries", nargs="?", type=int, default=100_000)
    main(parser.parse_args().entries)
