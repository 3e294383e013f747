"""Search the gallery from the command line, with what the pipeline has embedded.

``t2i search "red sneakers on sale" [--system NAME] [-k 10] [--json] [--sheet out.png]``; without
a query it asks for one after the other. A query that is the path of an image finds images like it.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from text2image.base.console import InputError, Parser, one_line, say
from text2image.pages.placeholder import open_or_placeholder
from text2image.pages.search.searcher import Found, Searcher
from text2image.pages.search.why import as_json, in_short, longest_share, marks
from text2image.pages.sheets.examples import places
from text2image.pages.sheets.sheet import Cell, Sheet, draw_sheet, in_rows
from text2image.params import load_params

COLUMNS = 5  # pictures a row of a sheet


def draw(query: str, found: Found, options: Namespace, searcher: Searcher) -> None:
    """Write a sheet with the images that were found, and a placeholder for each whose file changed.

    Raises:
        InputError: no picture can be written there.
    """
    longest, cells = longest_share(found.reasons), list[Cell]()
    decimals = places(result.score for result in found.results)
    for result, why in zip(found.results, found.reasons, strict=True):
        picture, problem = open_or_placeholder(searcher.image(result.image_id))
        found_words = [] if problem else marks(why)
        rest = in_short(why._replace(matches=()) if found_words else why, longest)
        cells.append(Cell(picture, f"{result.rank} · {result.score:.{decimals}f}  {rest}", marks=found_words))
        if problem:
            say(f"error: {problem}")
    subtitle = (
        f"{searcher.name}: the first {len(cells)} of {len(searcher.image_ids)} images, with their scores"
        f"{' and the words that matched' if any(cell.marks for cell in cells) else ''}"
    )
    lines = 3 if any(map(in_short, found.reasons)) else 1
    try:
        strips = in_rows(cells, COLUMNS, caption_lines=lines)
        draw_sheet(Sheet(f"“{one_line(query)}”", subtitle, strips)).save(options.sheet)
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected a file like results.png after --sheet, found {one_line(options.sheet)}: {one_line(error)}"
        ) from None


def answer(query: str, searcher: Searcher, options: Namespace) -> None:
    """Search and print the result, as lines for people or as one JSON list."""
    found = searcher.search(query, options.k)
    if found.note:
        say(found.note)
    if options.sheet:
        draw(query, found, options, searcher)
    paths = [searcher.image(result.image_id).path.as_posix() for result in found.results]
    results = list(zip(found.results, found.reasons, paths, strict=True))
    if options.json:
        rows = [one._asdict() | {"path": path, "why": as_json(why)} for one, why, path in results]
        print(json.dumps(rows, indent=None if options.query is None else 2))
        return
    longest = longest_share(found.reasons)
    decimals = places(one.score for one in found.results)
    reasons = [in_short(why, longest) for why in found.reasons]
    width = max([0, *map(len, reasons)])
    head = f"  {'why':<{width}}" if width else ""
    print(f"{'rank':>4}  {'score':>6}  {'image_id':<16}{head}  path")
    for (one, _, path), why in zip(results, reasons, strict=True):
        column = f"  {why:<{width}}" if width else ""
        print(f"{one.rank:>4}  {one.score:>6.{decimals}f}  {one.image_id}{column}  {one_line(path, 1000)}")


def prompt(searcher: Searcher, options: Namespace) -> None:
    """Answer one query a line until the input ends or a line is empty."""
    while True:
        try:
            query = input("search> " if sys.stdin.isatty() else "")
        except EOFError:
            return
        if not query.strip():
            return
        try:
            answer(query, searcher, options)
        except InputError as error:
            say(f"error: {error}")


def positive(text: str) -> int:
    """Return ``text`` as a number of at least 1."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def main(argv: Sequence[str]) -> None:
    parser = Parser("t2i search", description="Search the embedded images.")
    parser.add_argument("query", nargs="?", help="a text or the path of an image; without it, a prompt")
    parser.add_argument(
        "--system",
        "--model",
        help="one of retrieve.systems in params.yaml (default: the first), or of embed.models",
    )
    parser.add_argument("-k", type=positive, default=10, help="how many images (default: 10)")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw the images found into a picture")
    options = parser.parse_args(argv)
    searcher = Searcher(load_params(), options.system)
    if options.query is None:
        prompt(searcher, options)
    else:
        answer(options.query, searcher, options)
