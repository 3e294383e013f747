"""What a run found, to send to somebody: one HTML file that needs no network, and Markdown for a pull request.

``t2i report [REV | REV_A..REV_B] [-o report]`` (``make report REVS=…``) writes ``report.html``
and ``report.md`` for the working tree, for a revision, or for two side by side. Not a stage: it reads what
git and DVC's cache hold, and changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, Parser, one_line, say
from text2image.formats.files import atomic_write, keep_only, write_text
from text2image.pages.report.files import WORKSPACE
from text2image.pages.report.plots import read_plots
from text2image.pages.report.rendering.html import html
from text2image.pages.report.rendering.markdown import FOLDER, markdown
from text2image.pages.report.revisions import parse, read_revisions
from text2image.pages.report.sections import build


def main(argv: Sequence[str]) -> None:
    parser = Parser("t2i report", description="Write a report.")
    parser.add_argument(
        "revisions", nargs="?", default=WORKSPACE, metavar="REV | REV_A..REV_B",
        help=f"a branch, tag, commit or experiment, or two of them; default: {WORKSPACE}, the working tree",
    )  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, default=ARTIFACTS.reports, help="folder; default: report")
    options = parser.parse_args(argv)
    names, folder = parse(options.revisions), options.out
    page_path, summary_path = folder / "report.html", folder / "report.md"
    check_folder(folder, page_path)
    revisions = read_revisions(names)
    report = build(revisions, *read_plots(revisions))
    page, summary = html(report, len(names) > 1), markdown(report)
    try:
        write_text(page_path, page)
    except OSError as error:
        raise InputError(
            f"expected a folder that can be written at {folder}, found: {one_line(error)}"
        ) from None
    for path, data in summary.pictures.items():
        with atomic_write(folder / path) as temporary:
            temporary.write_bytes(data)
    keep_only(folder / FOLDER, [folder / path for path in summary.pictures])
    write_text(summary_path, summary.text)
    say(f"report: {page_path} ({len(page.encode()) / 1e6:.1f} MB) and {summary_path}")
    for revision in revisions:
        for outdated in revision.outdated:
            say(f"report: {revision.name}: {outdated}")
        for missing in revision.missing:
            say(f"report: {revision.name} lacks {missing}")


def check_folder(folder: Path, page: Path) -> None:
    """Refuse a folder of somebody's own; other commands write into the project's folder of reports, too."""
    own = folder.resolve() == ARTIFACTS.reports.resolve()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not page.is_file() and not own):
        raise InputError(f"expected an empty folder or an earlier report at {folder}, found other files")
