"""Divide relevant pairs into train, validation and test so that nothing seen in one is met in another.

The unit is a connected component of the graph of near-duplicate groups and queries: an image, its
copies, every text that any of them answers, every other image that answers one of these texts, and so
on. A component is never broken, however large: the parts then miss their shares, and say so.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from text2image.base.console import InputError, one_line
from text2image.formats.tables import as_written, read_csv, write_csv
from text2image.queries.clusters import query_clusters

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)
SHOWN_LEAKS = 3


def others(part: str) -> str:
    """Return the names of the parts other than ``part``, as a sentence has them."""
    return " and ".join(name for name in PARTS if name != part)


class SplitRow(NamedTuple):
    """A relevant pair and its part; ``query_id`` and ``text`` are empty for an image without a text."""

    part: str
    image_id: str
    query_id: str
    text: str
    relevance: int


def components(pairs: Sequence[tuple[str, str]], group_of: Mapping[str, int]) -> dict[str, int]:
    """Return ``{query_id: component}``: queries that share a near-duplicate group, directly or not.

    Args:
        pairs: ``(query_id, image_id)`` of all relevant pairs.
        group_of: ``{image_id: near-duplicate group}``.
    """
    queries = sorted({query for query, _ in pairs})
    row_of = {query: row for row, query in enumerate(queries)}
    rows = np.array([row_of[query] for query, _ in pairs], dtype=np.int64)
    groups = np.array([group_of[image] for _, image in pairs], dtype=np.int64)
    return dict(zip(queries, query_clusters(rows, groups, len(queries)).tolist(), strict=True))


def assign(component_of: Mapping[str, int], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Return ``{query_id: part}``, whole components at a time, in an order that the seed draws.

    Each component goes to the part that lacks most of its share of the queries so far. The order is
    that of a hash of seed and smallest query, so that a new label moves few others.

    Args:
        component_of: from :func:`components`.
        shares: of the queries, by part; they sum to 1.
    """
    members: dict[int, list[str]] = defaultdict(list)
    for query in sorted(component_of):
        members[component_of[query]].append(query)

    def draw(queries: list[str]) -> str:
        return hashlib.sha256(f"{seed} {queries[0]}".encode()).hexdigest()

    total, filled = len(component_of), dict.fromkeys(shares, 0)
    part_of: dict[str, str] = {}
    for queries in sorted(members.values(), key=draw):
        part = max(shares, key=lambda name: shares[name] * total - filled[name])
        filled[part] += len(queries)
        part_of |= dict.fromkeys(queries, part)
    return part_of


def divide(
    relevance: Mapping[str, Mapping[str, int]],
    texts: Mapping[str, str],
    group_of: Mapping[str, int],
    shares: Mapping[str, float],
    seed: int,
) -> list[SplitRow]:
    """Return a split: each of the :func:`components` goes to the part that :func:`assign` draws."""
    pairs = [(query, image) for query, images in relevance.items() for image in images]
    return split_rows(relevance, texts, assign(components(pairs, group_of), shares, seed), group_of)


def split_rows(
    relevance: Mapping[str, Mapping[str, int]],
    texts: Mapping[str, str],
    part_of: Mapping[str, str],
    group_of: Mapping[str, int],
) -> list[SplitRow]:
    """Return a row a relevant pair and a row an image without any, sorted.

    An image without a text follows its near-duplicates; without any it belongs to the test part, where
    it is one more image to find the right ones among.

    Args:
        relevance: ``{query_id: {image_id: grade}}``.
        texts, part_of: the text and the part of each query.
        group_of: ``{image_id: near-duplicate group}`` of the whole gallery.
    """
    of_group: dict[int, str] = {}
    rows = []
    for query, images in relevance.items():
        for image, grade in images.items():
            of_group[group_of[image]] = part_of[query]
            rows.append(SplitRow(part_of[query], image, query, texts[query], grade))
    bare = group_of.keys() - {row.image_id for row in rows}
    rows.extend(SplitRow(of_group.get(group_of[image], TEST), image, "", "", 0) for image in bare)
    return sorted(rows)


def leaks(rows: Iterable[SplitRow], group_of: Mapping[str, int]) -> list[str]:
    """Return a sentence for each image, near-duplicate group and query that is in more than one part."""
    parts: dict[tuple[str, object], set[str]] = defaultdict(set)
    for row in rows:
        parts["image", row.image_id].add(row.part)
        parts["near-duplicate group", group_of.get(row.image_id, row.image_id)].add(row.part)
        if row.query_id:
            parts["query", f"{row.query_id} “{row.text}”"].add(row.part)
    return [
        f"{kind} {name} is in {' and '.join(part for part in PARTS if part in names)}"
        for (kind, name), names in sorted(parts.items(), key=str)
        if len(names) > 1
    ]


def sizes(rows: Sequence[SplitRow], group_of: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return ``{part: {"images", "queries", "pairs", "components", "largest_component"}}``.

    ``largest_component`` counts queries: where it is most of a part, the part is one theme.
    """
    component_of = components([(row.query_id, row.image_id) for row in rows if row.query_id], group_of)
    table = {}
    for part in PARTS:
        mine = [row for row in rows if row.part == part]
        queries = {row.query_id for row in mine if row.query_id}
        _, counts = np.unique([component_of[query] for query in queries], return_counts=True)
        table[part] = {
            "images": len({row.image_id for row in mine}),
            "queries": len(queries),
            "pairs": sum(bool(row.query_id) for row in mine),
            "components": len(counts),
            "largest_component": int(counts.max(initial=0)),
        }
    return table


def write_split(path: Path, rows: Sequence[SplitRow], group_of: Mapping[str, int]) -> None:
    """Write a split, a row a relevant pair.

    Raises:
        InputError: something is in two parts.
    """
    _check_leaks(rows, group_of, path)
    write_csv(path, SplitRow._fields, rows)


def read_split(path: Path, group_of: Mapping[str, int]) -> list[SplitRow]:
    """Read a split and check it.

    Raises:
        InputError: it is not such a file, or something is in two parts.
    """
    with as_written(path, "whole numbers as relevance"):
        rows = [
            SplitRow(row["part"], row["image_id"], row["query_id"], row["text"], int(row["relevance"]))
            for row in read_csv(path, SplitRow._fields)
        ]
    unknown = sorted({row.part for row in rows} - set(PARTS))
    if unknown:
        raise InputError(f"expected the parts {', '.join(PARTS)} in {path}, found {one_line(unknown)}")
    _check_leaks(rows, group_of, path)
    return rows


def _check_leaks(rows: Sequence[SplitRow], group_of: Mapping[str, int], path: Path) -> None:
    """Refuse a split in which an image, a near-duplicate of it or a text is in two parts."""
    sentences = leaks(rows, group_of)
    if sentences:
        more = f" and {len(sentences) - SHOWN_LEAKS} more" if len(sentences) > SHOWN_LEAKS else ""
        raise InputError(
            f"expected every image, near-duplicate group and query of {path} in one part, "
            f"found a leak: {'; '.join(map(one_line, sentences[:SHOWN_LEAKS]))}{more}"
        )
