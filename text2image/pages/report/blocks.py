"""What a report is made of, before it becomes HTML or Markdown: plain text and figures, nothing escaped yet.

Every text in these blocks may come from a label, a file name, a parameter or a revision; the two
renderers escape all of them alike.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Score(NamedTuple):
    """A measure in [0, 1] with its 95 % interval and the level of chance; None where unknown."""

    value: float
    low: float | None
    high: float | None
    chance: float | None

    @property
    def interval(self) -> str:
        """The interval in brackets; "" where an end is unknown."""
        return "" if self.low is None or self.high is None else f"[{self.low:.2f}, {self.high:.2f}]"


Cell = str | Score


class Sentences(NamedTuple):
    """What can be said in plain words, a sentence each, under a heading if it has one."""

    sentences: Sequence[str]
    heading: str = ""


class Table(NamedTuple):
    """Rows of cells, each as long as the header; the columns in ``figures`` hold numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    figures: range = range(0)
    heading: str = ""
    note: str = ""


class Chart(NamedTuple):
    """A chart that dvc.yaml declares, as SVG without scripts or links; what it lacks is in ``problems``."""

    name: str
    title: str
    svg: str
    problems: Sequence[str] = ()


class Picture(NamedTuple):
    """An image file's bytes, and the revision that it is of."""

    revision: str
    data: bytes


class SheetBlock(NamedTuple):
    """A sheet of pictures that a stage drew, of one revision or of two; a picture that is the same in both stands once."""

    path: str
    pictures: Sequence[Picture]
    problems: Sequence[str] = ()


Block = Sentences | Table | Chart | SheetBlock


class Section(NamedTuple):
    """Blocks under a title; a folded section is opened by its reader."""

    title: str
    blocks: Sequence[Block]
    intro: str = ""
    folded: bool = False

    @property
    def anchor(self) -> str:
        """The section's name within the page."""
        return "-".join("".join(char if char.isalnum() else " " for char in self.title.lower()).split())


class Report(NamedTuple):
    """The whole report, in the order in which it is read."""

    title: str
    subtitle: str
    sections: Sequence[Section]
