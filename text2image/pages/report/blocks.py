"""What a report is made of, before it becomes HTML or Markdown: plain text and figures, nothing escaped yet.

Every text in these blocks may come from a label, a file name, a parameter or a revision; the two
renderers escape all of them alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple


class Score(NamedTuple):
    """A measure in [0, 1] with its 95 % interval and the level of chance; None where unknown."""

    value: float
    low: float | None
    high: float | None
    chance: float | None


Cell = str | Score


@dataclass(frozen=True)
class Sentences:
    """What can be said in plain words, a sentence each, under a heading if it has one."""

    kind: ClassVar[str] = "sentences"
    sentences: Sequence[str]
    heading: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells, each as long as the header; the columns in ``figures`` hold numbers."""

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    figures: range = range(0)
    heading: str = ""
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart that dvc.yaml declares, as SVG without scripts or links; what it lacks is in ``problems``."""

    kind: ClassVar[str] = "chart"
    name: str
    title: str
    svg: str
    problems: Sequence[str] = ()


class Picture(NamedTuple):
    """An image file's bytes, and the revision that it is of."""

    revision: str
    data: bytes


@dataclass(frozen=True)
class SheetBlock:
    """A sheet of pictures that a stage drew, of one revision or of two; a picture that is the same in both stands once."""

    kind: ClassVar[str] = "sheet"
    path: str
    pictures: Sequence[Picture]
    problems: Sequence[str] = ()


Block = Sentences | Table | Chart | SheetBlock


@dataclass(frozen=True)
class Section:
    """Blocks under a title; a folded section is opened by its reader."""

    title: str
    blocks: Sequence[Block]
    intro: str = ""
    folded: bool = False

    @property
    def anchor(self) -> str:
        """The section's name within the page."""
        return "-".join("".join(char if char.isalnum() else " " for char in self.title.lower()).split())


@dataclass(frozen=True)
class Report:
    """The whole report, in the order in which it is read."""

    title: str
    subtitle: str
    sections: Sequence[Section]
