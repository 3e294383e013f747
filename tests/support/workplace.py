"""A folder in which a label stage runs without DVC: pictures, a manifest and params."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

import stages.label
import text2image.commands.label
from tests.support.chat_server import ChatServer
from tests.support.pictures import encoded
from text2image.collection.images import image_id
from text2image.formats.tables import read_csv, write_csv
from text2image.labels.openai.encode import jpeg
from text2image.params import load_params

REPOSITORY = Path(__file__).parents[2]
OUTPUTS = ("data/labels", "data/queries", "metrics/labels")

PEAK = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, *sys.argv[1:]])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(done.returncode)
"""
"""Runs Python and prints the most bytes that it had in memory: a process of its own, as Linux counts what the one that
starts another has for both."""


class Workplace:
    """A folder with a manifest and params in which the stage runs, in this process or in its own."""

    def __init__(self, root: Path, server: ChatServer) -> None:
        self.root = root
        self.params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
        self.params["data"]["images"] = "images"
        self.params["label"]["sources"] = ["openai"]
        prices = {"price_input_per_million": 0.4, "price_output_per_million": 1.6, "max_tokens": 300}
        self.set(model="test-model", base_url=server.base_url, **prices)
        self.speed(concurrency=16, timeout=10.0, max_retries=6, poll_seconds=0.05)

    def set(self, **changes: Any) -> None:
        self.params["label"]["openai"] |= changes
        self._write()

    def speed(self, **changes: Any) -> None:
        self.params["runtime"]["openai"] |= changes
        self._write()

    def _write(self) -> None:
        (self.root / "params.yaml").write_text(yaml.safe_dump(self.params))

    def images(self, count: int) -> None:
        """Write so many small pictures and their manifest."""
        (self.root / "images").mkdir(exist_ok=True)
        rows = []
        for number in range(count):
            (self.root / "images" / f"{number}.png").write_bytes(encoded(picture(number)))
            rows.append((picture_id(number), f"{number}.png"))
        write_csv(self.root / "data" / "manifest.csv", ("image_id", "path"), rows)

    def run(self) -> None:
        stages.label.main(load_params(), "openai")

    def estimate(self) -> None:
        text2image.commands.label.main(["openai", "--estimate"])

    def start(self, *through: str) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        return subprocess.Popen(
            [sys.executable, *through, "-m", "stages.label", "openai"],
            cwd=self.root, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def labels(self) -> dict[str, list[str]]:
        labels: dict[str, list[str]] = {}
        for row in read_csv(self.root / "data" / "labels" / "openai.csv", ["image_id", "text"]):
            labels.setdefault(row["image_id"], []).append(row["text"])
        return labels

    def unlabelled(self) -> dict[str, str]:
        rows = read_csv(self.root / "data" / "labels" / "openai_without.csv", ["image_id", "reason"])
        return {row["image_id"]: row["reason"] for row in rows}

    def metrics(self) -> dict[str, Any]:
        figures: dict[str, Any] = json.loads((self.root / "metrics/labels/openai.json").read_text())
        return figures

    def outputs(self) -> dict[str, bytes]:
        paths = [path for folder in OUTPUTS for path in (self.root / folder).iterdir()]
        return {path.name: path.read_bytes() for path in paths}


def picture(number: int) -> Image.Image:
    """Return a small picture of its own."""
    noise = np.random.default_rng(number).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((48, 32), Image.Resampling.BILINEAR)


def picture_id(number: int) -> str:
    """Return the id of a picture of the workplace."""
    return image_id(encoded(picture(number)))


def sent_name(number: int) -> str:
    """Return the name by which the server knows a picture of the workplace."""
    return hashlib.sha256(jpeg(picture(number), 512)).hexdigest()
