"""One judge's way through the pool, wherever the grades come from; the file is the only memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from text2image.formats.texts import normalise_text, query_id
from text2image.queries.judgements import (
    JudgementRow,
    append_judgements,
    damage_sentence,
    read_if_any,
    read_judgements_and_damage,
    take_back_last,
)
from text2image.queries.judging.pool import Pair, PooledQuery, Progress, progress, unjudged

GRADES = {0: "not relevant", 1: "marginally relevant", 2: "relevant", 3: "exactly what was asked for"}


class Turn(NamedTuple):
    """What to judge next, and the grades given so far for the images of the same query."""

    query: PooledQuery
    image_id: str
    grades: dict[str, int]


class Session:
    """The pool of a source, walked by one judge; other judges may write to the same file meanwhile."""

    def __init__(self, source: str, by: str, pooled: Sequence[PooledQuery], path: Path) -> None:
        self.source, self.by, self.pooled, self.path = source, by, pooled, path
        self.skipped: set[str] = set()
        self._queries = {query.query_id: query for query in pooled}

    def judged(self) -> dict[Pair, int]:
        """Return ``{(query_id, image_id): grade}`` of this judge, read from the file."""
        return {
            (query_id(row.query), row.image_id): row.relevance
            for row in read_if_any(self.path)
            if row.source == self.source and row.by == self.by
        }

    def problem(self) -> str:
        """Say which rows of the file cannot be used; "" if all can."""
        damaged = read_judgements_and_damage(self.path)[1] if self.path.exists() else []
        return damage_sentence(self.path, damaged) if damaged else ""

    def offers(self, query: str, image_id: str) -> bool:
        """Say whether an image is to be judged for a query, or has been."""
        pooled = self._queries.get(query)
        return pooled is not None and image_id in pooled.images

    def turn(self) -> Turn | None:
        """Return what to judge next; None when nothing is left but what was skipped."""
        judged = self.judged()
        for query in self.pooled:
            left = unjudged(query, judged)
            if left and query.query_id not in self.skipped:
                grades = {image: judged[query.query_id, image] for image in query.images if image not in left}
                return Turn(query, left[0], grades)
        return None

    def progress(self) -> Progress:
        """Say how far this judge has come."""
        return progress(self.pooled, self.judged())

    def judge(self, query: str, image_id: str, relevance: int, note: str = "") -> bool:
        """Keep a grade; False, and nothing kept, for what is not in the pool or has a grade already."""
        pooled = self._queries.get(query)
        if pooled is None or relevance not in GRADES or image_id not in unjudged(pooled, self.judged()):
            return False
        row = JudgementRow(self.source, pooled.text, image_id, relevance, self.by, normalise_text(note))
        append_judgements([row], self.path)
        return True

    def undo(self) -> JudgementRow | None:
        """Take back this judge's last grade for the source, and return to its query; None if there is none."""
        row = take_back_last(self.source, self.by, self.path)
        if row is not None:
            self.skipped.discard(query_id(row.query))
        return row

    def skip(self, query: str) -> None:
        """Leave a query for later: until :meth:`return_to_skipped`, or the next session."""
        if query in self._queries:
            self.skipped.add(query)

    def return_to_skipped(self) -> None:
        """Walk through the skipped queries again."""
        self.skipped.clear()
