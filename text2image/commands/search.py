"""Search the gallery from the command line, with what the pipeline has embedded.

``t2i search "red sneakers on sale" [--model M] [-k 10] [--json] [--sheet out.png]``; without
a query it asks for one after the other. A query that is the path of an image finds images like it.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from text2image.base.console import InputError, Parser, one_line, say
from text2image.pages.placeholder import open_or_placeholder
from text2image.pages.search.searcher import RankedImage, Searcher
from text2image.pages.sheets.sheet import Cell, Sheet, draw_sheet, in_rows
from text2image.params import load_params

COLUMNS = 5  # pictures a row of a sheet


def draw(query: str, results: Sequence[RankedImage], searcher: Searcher, path: Path) -> None:
    """Write a sheet with the images that were found, and a placeholder for each whose file changed.

    Raises:
        InputError: no picture can be written at ``path``.
    """
    cells = []
    for result in results:
        picture, problem = open_or_placeholder(searcher.image(result.image_id))
        cells.append(Cell(picture, f"{result.rank} · {result.score:.3f}"))
        if problem:
            say(f"error: {problem}")
    subtitle = (
        f"{searcher.name}: the first {len(results)} of {len(searcher.image_ids)} images, with their scores"
    )
    try:
        draw_sheet(Sheet(f"“{one_line(query)}”", subtitle, in_rows(cells, COLUMNS))).save(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected a file like results.png after --sheet, found {one_line(path)}: {one_line(error)}"
        ) from None


def answer(query: str, searcher: Searcher, options: Namespace) -> None:
    """Search and print the result, as lines for people or as one JSON list."""
    results = searcher.search(query, options.k)
    if options.sheet:
        draw(query, results, searcher, options.sheet)
    rows = [(r._asdict() | {"path": searcher.image(r.image_id).path.as_posix()}) for r in results]
    if options.json:
        print(json.dumps(rows, indent=None if options.query is None else 2))
    else:
        print(f"{'rank':>4}  {'score':>6}  {'image_id':<16}  path")
        for r in rows:
            print(f"{r['rank']:>4}  {r['score']:>6.3f}  {r['image_id']}  {one_line(r['path'], 1000)}")


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
    parser.add_argument("--model", help="one of embed.models in params.yaml (default: the first)")
    parser.add_argument("-k", type=positive, default=10, help="how many images (default: 10)")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw the images found into a picture")
    options = parser.parse_args(argv)
    searcher = Searcher(load_params(), options.model)
    if options.query is None:
        prompt(searcher, options)
    else:
        answer(options.query, searcher, options)
