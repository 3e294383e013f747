"""A system that reranks small pictures by a vision model, in this process or in one that can be killed."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.chat_server import ChatServer
from tests.support.earlier import JUDGE_PROMPT, OPENAI_SETTINGS
from tests.support.pictures import encoded, image_file
from tests.support.workplace import REPOSITORY, picture
from text2image.base.arrays import Vectors
from text2image.base.console import run
from text2image.base.settings import OpenaiRuntime
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.settings import Settings
from text2image.queries.judging.model import judge_settings
from text2image.retrieval.systems.rerank import Rerank
from text2image.retrieval.systems.scorer import Match, Why
from text2image.retrieval.systems.vision_grades import VisionGrader

QUERIES = ("red shoe", "blue hat", "summer sale", "two dogs")
IMAGES, DEPTH = 9, 5
PAIRS = len(QUERIES) * DEPTH


class Fixed:
    """A system with scores that are given."""

    def __init__(self, scores: Vectors) -> None:
        self.given = scores

    @property
    def n_queries(self) -> int:
        return len(self.given)

    @property
    def n_images(self) -> int:
        return int(self.given.shape[1])

    def scores(self, queries: slice) -> Vectors:
        return self.given[queries].copy()

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        return [Why(view=f"{query} {column}", matches=(Match("ocr", None, ()),)) for column in columns]  # type: ignore[arg-type]


def base() -> Fixed:
    """Scores with ties, in no order of the images."""
    return Fixed(np.random.default_rng(5).integers(0, 4, (len(QUERIES), IMAGES)).astype(np.float32))


def pictures(folder: Path) -> list[ImageFile]:
    """Write the images, unless they are there."""
    folder.mkdir(exist_ok=True)
    for number in range(IMAGES):
        path = folder / f"{number}.png"
        if not path.exists():
            path.write_bytes(encoded(picture(number)))
    return [image_file(folder / f"{number}.png") for number in range(IMAGES)]


def grader(folder: Path, server: str, budget_usd: float | None = None, **runtime: Any) -> VisionGrader:
    """Return what asks the model of a server at an address."""
    prices = {"price_input_per_million": 0.4, "price_output_per_million": 1.6, "max_tokens": 300}
    service = {"model": "test-model", "base_url": server, "budget_usd": None}
    settings = Settings(**(OPENAI_SETTINGS | service | prices))
    speed = {
        "concurrency": 4, "requests_per_minute": None, "tokens_per_minute": None,
        "timeout": 0.5, "max_retries": 6, "poll_seconds": 1.0,
    }  # fmt: skip
    return VisionGrader(
        "second", "retrieve second human", judge_settings(settings, JUDGE_PROMPT, budget_usd),
        OpenaiRuntime(**(speed | runtime)), QUERIES, pictures(folder / "images"),
    )  # fmt: skip


def count_pairs(server: ChatServer) -> None:
    """Have a server know requests by picture and query instead of the picture alone."""
    check = server.check_chat

    def named(body: Any) -> str:
        image = check(body)
        text = body["messages"][0]["content"][0]["text"]
        return hashlib.sha256(f"{image} {text}".encode()).hexdigest()

    server.check_chat = named  # type: ignore[method-assign]


def start(folder: Path, server: ChatServer) -> "subprocess.Popen[bytes]":
    """Rerank in a process of its own."""
    command = [sys.executable, "-m", "tests.support.reranking", str(folder), server.base_url]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)


def main() -> None:
    """Rerank, patiently: a held request is not repeated."""
    folder, server = Path(sys.argv[1]), sys.argv[2]
    Rerank(base(), DEPTH, grader(folder, server, timeout=60.0).grade)


if __name__ == "__main__":
    run(main)
