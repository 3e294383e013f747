"""What a run found, to send to somebody: one HTML file that needs no network, and Markdown for a pull request.

``t2i report [REV | REV_A..REV_B] [-o report]`` (``make report REVS=…``) writes ``report.html``
and ``report.md`` for the working tree, for a revision, or for two side by side. Not a stage: it reads what
git and DVC's cache hold, and changes nothing.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from text2image.base.console import InputError, Parser, run, say
from text2image.formats.files import atomic_write, keep_only, write_text
from text2image.pages.report.files import WORKSPACE
from text2image.pages.report.plots import read_plots
from text2image.pages.report.rendering.html import html
from text2image.pages.report.rendering.markdown import FOLDER, markdown
from text2image.pages.report.revisions import parse, read_revisions
from text2image.pages.report.sections import build

PAGE, SUMMARY = "report.html", "report.md"


def arguments(argv: Sequence[str] | None) -> Namespace:
    """Return what was asked for on the command line."""
    parser = Parser("t2i report", description="Write a report.")
    parser.add_argument(
        "revisions", nargs="?", default=WORKSPACE, metavar="REV | REV_A..REV_B",
        help=f"a branch, tag, commit or experiment, or two of them; default: {WORKSPACE}, the working tree",
    )  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, default=Path("report"), help="folder; default: report")
    return parser.parse_args(argv)


def check_folder(folder: Path) -> None:
    """Refuse a folder of other things, whose pictures would be tidied away."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / PAGE).is_file()):
        raise InputError(f"expected an empty folder or an earlier report at {folder}, found other files")


def main(argv: Sequence[str] | None = None) -> None:
    asked = arguments(argv)
    names = parse(asked.revisions)
    check_folder(asked.out)
    revisions = read_revisions(names)
    report = build(revisions, *read_plots(names))
    page, summary = html(report, len(names) > 1), markdown(report)
    write_text(asked.out / PAGE, page)
    for path, data in summary.pictures.items():
        with atomic_write(asked.out / path) as temporary:
            temporary.write_bytes(data)
    keep_only(asked.out / FOLDER, [asked.out / path for path in summary.pictures])
    write_text(asked.out / SUMMARY, summary.text)
    say(f"report: {asked.out / PAGE} ({len(page.encode()) / 1e6:.1f} MB) and {asked.out / SUMMARY}")
    for revision in revisions:
        for missing in revision.missing:
            say(f"report: {revision.name} lacks {missing}")


if __name__ == "__main__":
    run(main)
