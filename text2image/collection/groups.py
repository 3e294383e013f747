"""Near-duplicate groups: pairs that hashes nominate, decided by their pixels, gathered around the largest image.

A group has no chains: an image joins if it shows the same picture as the group's leader, and as those of its
members that are least like it by hash. Images come in the order of their size, the largest first, then of their
ids, so that groups follow from the images alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from importlib.metadata import version
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from text2image.base.arrays import Integers
from text2image.base.console import progress
from text2image.base.parallel import in_threads
from text2image.base.store import Store
from text2image.collection.duplicates import Hashes, connected_components
from text2image.collection.facts import in_processes
from text2image.collection.images import DECODING, open_image
from text2image.collection.manifest import ImageFile
from text2image.collection.verification import (
    COARSE_AREA,
    VERIFICATION,
    Pixels,
    agree,
    differ_clearly,
    thumbnail,
)

NEAREST, LEAST_NEAREST, MOST_PAIRS = 32, 2, 200_000
"""So many candidates of an image are compared with it, the most alike by the finer hash; fewer where a collection is so
large that this could come to ``MOST_PAIRS``, but never fewer than ``LEAST_NEAREST``."""

MAX_FINE_BITS = 72
"""Images whose 256-bit hashes differ in more bits are not compared; altered copies differed in at most 50."""

WITNESSES = 2
"""So many members of a group, besides its leader, must show the same picture as an image that joins."""

TRIED_GROUPS = 8
"""So many groups that are connected to an image are tried before it leads one of its own."""

BLOCK = 8  # images whose hashes are compared with all others at once: as many as the processor's cache holds
TASK = 512  # pairs that a process is given at a time
LARGEST_TASK = 8192  # the same, of images that are all alike
FEW = 64  # pairs that are not worth the start of processes
THUMBNAILS, COARSE = 512, 4096  # kept in memory by each process: 200 KB and 12 KB each

Pair = tuple[int, int]
FineHashes = npt.NDArray[np.uint64]


class Candidate(NamedTuple):
    """An image that may be a near-duplicate of another; ``pixels`` is its area, the hashes hexadecimal."""

    file: ImageFile
    pixels: int
    phash: str
    phash256: str


class Groups(NamedTuple):
    """``{image_id: group}``, and how many images had more candidates than are compared."""

    group_of: dict[str, int]
    bounded: int


def determinants(levels: float) -> dict[str, object]:
    """Return all that determines the verdict of a pair of images."""
    packages = {name: version(name) for name in ("numpy", "pillow")} | {"opencv": cv2.__version__}
    return {"verification": VERIFICATION, "decoding": DECODING, "levels": levels, "packages": packages}


def near_duplicate_groups(
    candidates: Iterable[Candidate], bits: int, levels: float, store: Store | None = None
) -> Groups:
    """Return the near-duplicate group of each candidate, numbered by the order of their leaders.

    Args:
        candidates: distinct images, in any order.
        bits: hashes of 64 bits that differ in at most so many nominate a pair.
        levels: see :func:`text2image.collection.verification.agree`.
        store: verdicts of earlier runs, for :func:`determinants`; None compares everything.

    Raises:
        InputError: a file is not the image that it was, or a process was killed.
    """
    ordered = sorted(candidates, key=lambda candidate: (-candidate.pixels, candidate.file.image_id))
    files = [candidate.file for candidate in ordered]
    hashes = np.array([int(candidate.phash, 16) for candidate in ordered], dtype=np.uint64)
    fine = fine_hashes([candidate.phash256 for candidate in ordered])
    pairs, bounded = nominate(hashes, fine, bits, nearest_of(len(files)))
    verdicts = Verdicts(files, levels, store)
    verdicts.decide(pairs)
    groups = gather(len(files), verdicts, fine)
    return Groups({file.image_id: int(group) for file, group in zip(files, groups, strict=True)}, bounded)


def fine_hashes(hexadecimal: Sequence[str]) -> FineHashes:
    """Return hashes of 256 bits as ``(n, 4)`` uint64."""
    words = [[int(text[start : start + 16], 16) for start in range(0, 64, 16)] for text in hexadecimal]
    return np.array(words, dtype=np.uint64).reshape(-1, 4)


def fine_distances(fine: FineHashes, one: int, others: Integers) -> Integers:
    """Return in how many of 256 bits each of ``others`` differs from ``one``: ``(n_others,)`` int64."""
    distances: Integers = np.bitwise_count(fine[others] ^ fine[one]).sum(axis=1, dtype=np.int64)
    return distances


def nearest_of(n: int) -> int:
    """Return with how many of its candidates each of ``n`` images is compared."""
    return max(LEAST_NEAREST, min(NEAREST, MOST_PAIRS // max(1, n)))


def nominate(hashes: Hashes, fine: FineHashes, bits: int, nearest: int) -> tuple[Integers, int]:
    """Return the pairs that are worth a comparison of pixels.

    Args:
        hashes: ``(n,)`` uint64.
        fine: ``(n, 4)`` uint64.
        bits: pairs whose ``hashes`` differ in more are none; [0, 64].
        nearest: each image nominates so many others, the most alike by ``fine``, ties by index.

    Returns:
        ``(n_pairs, 2)`` int64, each pair once with the smaller index first, sorted; and how many images
        had more candidates than ``nearest``.
    """
    pairs: set[Pair] = set()
    bounded = 0
    one_block = partial(_nominate_block, hashes, fine, bits, nearest)
    for some, n_bounded in in_threads(one_block, range(0, len(hashes), BLOCK), None):
        pairs.update(some)
        bounded += n_bounded
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2), bounded


def _nominate_block(
    hashes: Hashes, fine: FineHashes, bits: int, nearest: int, start: int
) -> tuple[list[Pair], int]:
    """Return the pairs that ``BLOCK`` images nominate, and how many of them had more candidates."""
    pairs: list[Pair] = []
    bounded = 0
    near = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes) <= bits
    for row in np.flatnonzero(near.sum(axis=1) > 1).tolist():
        one = start + row
        others = np.flatnonzero(near[row])
        others = others[others != one]
        distances = fine_distances(fine, one, others)
        others, distances = others[distances <= MAX_FINE_BITS], distances[distances <= MAX_FINE_BITS]
        bounded += len(others) > nearest
        chosen = others[np.argsort(distances, kind="stable")[:nearest]].tolist()
        pairs += [(min(one, other), max(one, other)) for other in chosen]
    return pairs, bounded


class Verdicts:
    """Which pairs of images show the same picture: remembered, or decided now and kept."""

    def __init__(self, files: Sequence[ImageFile], levels: float, store: Store | None) -> None:
        self.files, self.levels, self._store = files, levels, store
        self.known: dict[Pair, bool] = {}

    def decide(self, pairs: Integers) -> None:
        """Decide pairs, ``(n_pairs, 2)`` int64, with all cores; images that are alike together."""
        components = connected_components(len(self.files), pairs)
        order = np.lexsort((pairs[:, 1], pairs[:, 0], components[pairs[:, 0]]))
        todo = self._recall([(int(first), int(second)) for first, second in pairs[order]])
        tasks = list(cut_tasks(todo, [int(components[first]) for first, _ in todo]))
        with progress(
            total=len(pairs), done=len(pairs) - len(todo), unit="pair", title="near-duplicates"
        ) as bar:
            for task, same in zip(tasks, self._compare(tasks, len(todo)), strict=True):
                self.keep(dict(zip(task, same, strict=True)))
                bar.update(len(task))

    def _recall(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Recall what the store has of pairs, and return the others."""
        keys = {self._key(pair): pair for pair in pairs}
        stored = self._store.get(keys) if self._store else ()
        self.known |= {keys[key]: value == b"1" for key, value in stored}
        return [pair for pair in pairs if pair not in self.known]

    def _key(self, pair: Pair) -> str:
        return " ".join(sorted(self.files[index].key for index in pair))

    def _compare(self, tasks: Sequence[Sequence[Pair]], total: int) -> Iterator[list[bool]]:
        compare = partial(compare_files, self.levels)
        blocks = ([(self.files[first], self.files[second]) for first, second in task] for task in tasks)
        if total < FEW:
            yield from map(compare, blocks)
            return
        yield from in_processes(compare, blocks)

    def keep(self, verdicts: Mapping[Pair, bool]) -> None:
        """Remember verdicts, for later runs too."""
        self.known |= verdicts
        if self._store:
            self._store.put((self._key(pair), b"1" if same else b"0") for pair, same in verdicts.items())


def cut_tasks(pairs: Sequence[Pair], components: Sequence[int]) -> Iterator[list[Pair]]:
    """Yield pairs in tasks of about ``TASK``, without cutting a component that ``LARGEST_TASK`` holds.

    Two processes that share a component would each read all of its images.

    Args:
        components: of each pair; pairs of one component stand together.
    """
    task: list[Pair] = []
    for pair, component, before in zip(pairs, components, [None, *components], strict=False):
        if len(task) >= (LARGEST_TASK if component == before else TASK):
            yield task
            task = []
        task.append(pair)
    if task:
        yield task


def compare_files(levels: float, pairs: Sequence[tuple[ImageFile, ImageFile]]) -> list[bool]:
    """Return of each pair of files whether it shows the same picture."""
    return [
        not differ_clearly(read_coarse(first), read_coarse(second), levels)
        and agree(read_thumbnail(first), read_thumbnail(second), levels)
        for first, second in pairs
    ]


@lru_cache(THUMBNAILS)
def read_thumbnail(file: ImageFile) -> Pixels:
    """Return the thumbnail of an image that the catalog has just seen decode.

    Raises:
        InputError: the file is no longer that image.
    """
    return thumbnail(open_image(file))


@lru_cache(COARSE)
def read_coarse(file: ImageFile) -> Pixels:
    """Return the small thumbnail of an image's thumbnail, which most images need, too."""
    return thumbnail(Image.fromarray(read_thumbnail(file)), COARSE_AREA)


def gather(n: int, verdicts: Verdicts, fine: FineHashes) -> Integers:
    """Return the group of each image, numbered by the first of each: ``(n,)`` int64.

    Args:
        verdicts: of the nominated pairs. Pairs that have the same picture connect images, each
            component of which is cut into groups without chains.
        fine: ``(n, 4)`` uint64, by which a group's members that are least like an image are found.
    """
    same = np.array([pair for pair, is_same in verdicts.known.items() if is_same], dtype=np.int64).reshape(
        -1, 2
    )
    components = connected_components(n, same)
    order = np.argsort(components, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(components[order])) + 1)
    groups = np.arange(n)
    for found, decided in in_threads(
        partial(_cut, verdicts, fine), (part for part in parts if len(part) > 1), None
    ):
        verdicts.keep(decided)
        for members in found:
            groups[members] = members[0]
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _cut(verdicts: Verdicts, fine: FineHashes, part: Integers) -> tuple[list[list[int]], dict[Pair, bool]]:
    """Return a component's groups, the leader first, and the verdicts that this took besides the known ones."""
    decided: dict[Pair, bool] = {}

    def same(one: int, other: int) -> bool:
        pair = (min(one, other), max(one, other))
        if (known := verdicts.known.get(pair, decided.get(pair))) is not None:
            return known
        (decided[pair],) = compare_files(
            verdicts.levels, [(verdicts.files[pair[0]], verdicts.files[pair[1]])]
        )
        return decided[pair]

    groups: list[list[int]] = []
    for image in part.tolist():
        leaders = np.array([group[0] for group in groups], dtype=np.int64)
        nearest = np.argsort(fine_distances(fine, image, leaders), kind="stable")[:TRIED_GROUPS]
        joined = next((groups[i] for i in nearest if _belongs(image, groups[i], fine, same)), None)
        if joined is None:
            groups.append([image])
        else:
            joined.append(image)
    return groups, decided


def _belongs(image: int, group: Sequence[int], fine: FineHashes, same: Callable[[int, int], bool]) -> bool:
    """Say whether an image shows the picture of a group's leader and of the members least like the image."""
    leader, *others = group
    members = np.array(others, dtype=np.int64)
    distant = members[np.argsort(-fine_distances(fine, image, members), kind="stable")[:WITNESSES]]
    return all(same(image, other) for other in (leader, *distant.tolist()))
