"""Exact ranks by words against searches for the best: ``python -m benchmarks.words [--images 1000000 --queries 10000]``.

Every contestant has a process of its own, whose peak of resident memory is stated, texts included. Asked is for the words
of an image's text, one of them misread in every third query.

- `ngrams`, `words`, `both`: the system `words` of this project: the exact rank of the relevant image among all, and the
  100 best images. Must keep within 4 GiB.
- bm25s: the 100 best by BM25 of words that are the same.
- SQLite's FTS5 with its trigram tokenizer: the 100 best by BM25 of images that hold one of the query's words anywhere in
  theirs. It is asked ``FEW`` of the queries, and its seconds are extrapolated to all.

The share of queries whose relevant image comes first, and among the first 100, stands beside each: speed is worth
nothing without.
"""

import argparse
import multiprocessing
import os
import random
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.table import Row, against, reference, report, require
from text2image.formats.fields import FieldText

MAX_GIB = 4.0
DEPTH, FEW = 100, 200
SYLLABLES = [
    a + b
    for a in [
        "b",
        "c",
        "d",
        "f",
        "g",
        "h",
        "k",
        "l",
        "m",
        "n",
        "p",
        "r",
        "s",
        "t",
        "v",
        "w",
        "st",
        "tr",
        "ch",
    ]
    for b in ["a", "e", "i", "o", "u", "er", "on", "in"]
]


class Task(NamedTuple):
    """Texts and queries, and the text that each query is about."""

    texts: list[str]
    queries: list[str]
    columns: list[int]


class Cost(NamedTuple):
    """What it costs to make an index and to ask it, and where the relevant images are found: 0 for nowhere."""

    building: float
    search: float
    asked: int
    ranks: list[int]
    gib: float = 0.0

    def found(self) -> str:
        """Return for which share of the queries the relevant image is found."""
        first, listed = (sum(0 < rank <= k for rank in self.ranks) / self.asked for k in (1, DEPTH))
        return f"found first {first:.3f}, within {DEPTH} {listed:.3f}"


def make(n_images: int, n_queries: int) -> Task:
    """Return texts of 3 to 10 words, of which there are 200,000 with frequencies after Zipf."""
    generator = np.random.default_rng(1)
    lengths = generator.integers(1, 5, 300_000)
    parts = iter(generator.integers(0, len(SYLLABLES), lengths.sum()).tolist())
    vocabulary = list({"".join(SYLLABLES[next(parts)] for _ in range(length)): None for length in lengths})[
        :200_000
    ]
    frequencies = 1 / np.arange(10, len(vocabulary) + 10)
    sizes = generator.integers(3, 11, n_images)
    drawn = generator.choice(len(vocabulary), sizes.sum(), p=frequencies / frequencies.sum()).tolist()
    ends = np.cumsum(sizes).tolist()
    texts = [
        " ".join(vocabulary[word] for word in drawn[end - size : end])
        for size, end in zip(sizes, ends, strict=True)
    ]
    columns = generator.integers(0, n_images, n_queries).tolist()
    slips = random.Random(1)
    return Task(
        texts, [ask(texts[column], row % 3 == 0, slips) for row, column in enumerate(columns)], columns
    )


def ask(text: str, misread: bool, slips: random.Random) -> str:
    """Return some words of a text that follow each other, perhaps with one letter that is another."""
    words = text.split()
    first = slips.randrange(len(words) - 2)
    asked = words[first : first + slips.randint(3, 5)]
    if misread:
        which = slips.randrange(len(asked))
        place = slips.randrange(len(asked[which]))
        asked[which] = asked[which][:place] + slips.choice("aeiourstn") + asked[which][place + 1 :]
    return " ".join(asked)


def ours(match: str, task: Task) -> Cost:
    """Rank all images by the system `words`."""
    from text2image.retrieval.systems.ranks import rank_scores
    from text2image.retrieval.systems.words.search import WordIndex, WordScorer

    texts = [[FieldText(f"{column:016x}", text)] for column, text in enumerate(task.texts)]
    start = time.perf_counter()
    scorer = WordScorer(task.queries, WordIndex({"ocr": texts}, match))  # type: ignore[arg-type]
    made = time.perf_counter()
    rows, columns = np.arange(len(task.queries)), np.array(task.columns)
    ranks: list[int] = []
    for ranking in rank_scores(scorer, rows, columns, DEPTH):
        ranks.extend(ranking.pair_ranks.tolist())
    return Cost(made - start, time.perf_counter() - made, len(rows), ranks)


def bm25s(task: Task) -> Cost:
    """Find the best images by bm25s."""
    from bm25s import BM25, tokenize

    start = time.perf_counter()
    search = BM25()
    search.index(tokenize(task.texts, stopwords=None, show_progress=False), show_progress=False)
    made = time.perf_counter()
    asked = tokenize(task.queries, stopwords=None, show_progress=False, return_ids=False)
    found, _ = search.retrieve(asked, k=DEPTH, n_threads=os.cpu_count() or 1, show_progress=False)
    return Cost(
        made - start, time.perf_counter() - made, len(task.queries), _places(found.tolist(), task.columns)
    )


def fts5(task: Task) -> Cost:
    """Find the best images by SQLite's trigram index."""
    start = time.perf_counter()
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE images USING fts5(text, tokenize='trigram')")
    base.executemany("INSERT INTO images (rowid, text) VALUES (?, ?)", enumerate(task.texts))
    made = time.perf_counter()
    found = []
    for query in task.queries[:FEW]:
        asked = " OR ".join(f'"{word}"' for word in query.split() if len(word) >= 3)
        sql = "SELECT rowid FROM images WHERE images MATCH ? ORDER BY rank LIMIT ?"
        found.append([row for (row,) in base.execute(sql, (asked, DEPTH))] if asked else [])
    return Cost(made - start, time.perf_counter() - made, len(found), _places(found, task.columns))


def _places(found: Sequence[Sequence[int]], columns: Sequence[int]) -> list[int]:
    return [
        1 + list(best).index(column) if column in best else 0
        for best, column in zip(found, columns, strict=False)
    ]


CONTESTANTS: dict[str, tuple[Callable[..., Cost], tuple[str, ...]]] = {
    "ranks and first 100 by `ngrams`": (ours, ("ngrams",)),
    "ranks and first 100 by `words`": (ours, ("words",)),
    "ranks and first 100 by `both`": (ours, ("both",)),
    "first 100 by bm25s": (bm25s, ()),
    "first 100 by SQLite's trigrams": (fts5, ()),
}


def cost(name: str, n_images: int, n_queries: int) -> Cost:
    """Return what a contestant costs, measured in this process, which should be a new one."""
    work, arguments = CONTESTANTS[name]
    spent = work(*arguments, make(n_images, n_queries))
    return spent._replace(gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def rows(
    n_images: int = 1_000_000, n_queries: int = 10_000, names: Sequence[str] = tuple(CONTESTANTS)
) -> Iterator[Row]:
    """Yield the rows of the table."""
    part = f"{n_queries:,} queries in {n_images:,} short texts"
    base: Row | None = None
    for name in names:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            spent = pool.apply(cost, (name, n_images, n_queries))
        extrapolated = "" if spent.asked == n_queries else f", extrapolated from {spent.asked:,} queries"
        base = base or reference(part, name, spent.search * n_queries / spent.asked)
        row = against(
            base, f"{name}{extrapolated}: {spent.found()}", spent.search * n_queries / spent.asked, spent.gib
        )
        if CONTESTANTS[name][0] is ours:
            row = row._replace(asked=f"at most {MAX_GIB:g} GiB", held=spent.gib <= MAX_GIB)
        yield row
        yield against(base, f"{name}: making the index, texts read", spent.building)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.words")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--only", help="contestants whose names hold this", default="")
    options = parser.parse_args()
    names = [name for name in CONTESTANTS if options.only in name]
    require(report(rows(options.images, options.queries, names)))


if __name__ == "__main__":
    main()
