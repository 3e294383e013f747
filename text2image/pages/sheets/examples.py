"""What systems found for queries: their best and worst ones, and those on which the systems differ most.

``evaluate`` chooses the queries and writes data/examples/SOURCE.csv, a row a picture; here they are drawn.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import FINITE, WHOLE_NUMBER, Row
from text2image.pages.sheets.marks import Mark, marks_of
from text2image.pages.sheets.sheet import Bar, Cell, Sheet, Strip
from text2image.retrieval.systems.scorer import Why, parse_why

COLUMNS = (
    "sheet", "system", "query_id", "text", "n_relevant", "best_rank", "n_images", "margin",
    "place", "image_id", "rank", "score", "relevant", "labelled", "circular", "why",
)  # fmt: skip
"""The columns of data/examples/SOURCE.csv; at place 0 stands the image that the query was made from."""

NUMBERS = dict.fromkeys(("n_relevant", "n_images", "best_rank", "place", "rank"), WHOLE_NUMBER) | {
    "score": FINITE,
    "margin": FINITE,
}
"""What columns of it hold."""

HOW_TO_READ = (
    "left: the image that the query was made from, with its rank · right: the first five found, relevant ones framed · "
    "marked: the words that matched"
)
MATCHES = 3  # texts in which the query was found that are named below a picture
WHOLE = "whole"  # the view that goes without saying
SMALL = 0.1  # numbers below are shown with more places: those of reciprocal rank fusion, for one
NO_TEST = "The labels and the system go back to the same weights or texts: even wrong labels are found first"
NONE_TO_COMPARE = "Fewer than two systems that these labels test: there is nothing to compare"
ALIKE = "The systems put the first relevant image at the same rank for every query"


def examples_sheets(
    source: str, rows: Sequence[Row], images: Mapping[str, ImageFile]
) -> Iterator[tuple[str, Sheet]]:
    """Yield names and sheets: ``SYSTEM-best`` and ``SYSTEM-worst``, and ``instructive`` if there are several systems.

    For a source of which nothing is asked, one sheet that says so: ``none``.

    Args:
        source: the label source.
        rows: of data/examples/SOURCE.csv, the pictures of one query after another.
        images: ``{image_id: image}`` of the gallery.
    """
    if not rows:
        yield (
            "none",
            Sheet(f"Queries: {source} labels", "nothing is asked of this source; see the report", []),
        )
    circular = {row["system"]: row["circular"] == "1" for row in rows if row["sheet"] != "instructive"}
    for system, is_circular in circular.items():
        for kind in ("best", "worst"):
            shown = [row for row in rows if (row["sheet"], row["system"]) == (kind, system)]
            strips = [query_strip(query, images) for query in by_query(shown)]
            title = f"{kind.capitalize()} queries: {system}{' (circular)' * is_circular} on {source} labels"
            yield f"{system}-{kind}", Sheet(title, NO_TEST if is_circular else HOW_TO_READ, strips)
    if len(circular) > 1:
        shown = [row for row in rows if row["sheet"] == "instructive"]
        strips = [query_strip(query, images, name_system=True) for query in by_query(shown)]
        title = f"Where the systems differ most: {source} labels"
        how = HOW_TO_READ if strips else ""
        tested = sum(not is_circular for is_circular in circular.values())
        yield (
            "instructive",
            Sheet(title, how, strips or [Strip(ALIKE if tested > 1 else NONE_TO_COMPARE, "", [])]),
        )


def by_query(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the rows of each system's pictures for one query together, in their order."""
    groups = groupby(rows, key=lambda row: (row["system"], row["query_id"]))
    return [sorted(group, key=lambda row: int(row["place"])) for _, group in groups]


def places(numbers: Iterable[float], usual: int = 3) -> int:
    """Return how many decimal places numbers that stand together need: two more where all are small.

    >>> places([0.41, -0.03]), places([0.0164, 0.0161])
    (3, 5)
    """
    return usual + 2 * (max(map(abs, numbers), default=1.0) < SMALL)


def query_strip(
    pictures: Sequence[Row], images: Mapping[str, ImageFile], *, name_system: bool = False
) -> Strip:
    """Return the row of pictures of one query; ``name_system`` puts the system before its text."""
    first = pictures[0]
    n = int(first["n_relevant"])
    decimals = places(float(row["score"]) for row in pictures if row["place"] != "0")
    detail = (
        f"first relevant image at rank {first['best_rank']} of {first['n_images']} · "
        f"{n} relevant image{'s' if n > 1 else ''} · "
        f"margin over the best irrelevant one {float(first['margin']):+.{decimals}f}"
    )
    reasons = [parse_why(row["why"]) for row in pictures]
    shares = [part.share for why in reasons for part in why.parts]
    ends = min([0.0, *shares]), max([0.0, *shares])
    cells = [
        Cell(
            open_image(images[row["image_id"]]),
            _caption(row, decimals),
            row["relevant"] == "1",
            marks=marks(why),
            bars=bars(why, *ends),
            notes=notes(why),
        )
        for row, why in zip(pictures, reasons, strict=True)
    ]
    who = f"{first['system']}: " if name_system else ""
    return Strip(f"{who}“{first['text']}”", detail, cells, apart=(1,))


def _caption(row: Row, decimals: int) -> str:
    if row["place"] == "0":
        return f"rank {row['rank']}" if row["labelled"] == "1" else f"best relevant, rank {row['rank']}"
    return f"{row['place']} · score {float(row['score']):.{decimals}f}"


def marks(why: Why) -> list[Mark]:
    """Return where on its picture the words stand that matched, each place once."""
    found = [mark for match in why.matches for mark in marks_of(match.text, match.words)]
    return list({mark.corners: mark for mark in found}.values())


def bars(why: Why, low: float, high: float) -> list[Bar]:
    """Return what each part of a fused score adds to it, drawn from the lowest share beside it (or 0) to the highest."""
    room, decimals = high - low or 1.0, places([low, high], 2)
    return [
        Bar(part.system, f"{part.share:+z.{decimals}f}", -low / room, (part.share - low) / room)
        for part in why.parts
    ]


def notes(why: Why) -> list[str]:
    """Return what else is to be said of an image's place: the words found, the view that counts, the second look.

    >>> notes(Why(view="tile 2 of 8", grade="3", reason="Shows the shoe."))
    ['by tile 2 of 8', 'grade 3: Shows the shoe.']
    """
    said = [
        f"{'' if match.text.box else f'{match.field}: '}“{' '.join(match.words) or match.text.text}”"
        for match in why.matches
    ]
    found = [f"found {', '.join(list(dict.fromkeys(said))[:MATCHES])}"] if said else []
    view = [f"by {why.view}"] if why.view not in ("", WHOLE) else []
    graded = ": ".join(filter(None, [f"grade {why.grade}" if why.grade else "", why.reason]))
    return [*found, *view, *filter(None, [graded])]
