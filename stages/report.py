"""What a run found, to send to somebody: one HTML file that needs no network, and Markdown for a pull request.

``python -m stages.report [REV | REV_A..REV_B] [-o report]`` (``make report REVS=…``) writes ``report.html``
and ``report.md`` for the working tree, for a revision, or for two side by side. Not a stage: it reads what
git and DVC's cache hold, and changes nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.io.console import InputError, run, say
from stages.io.files import keep_only, whole, write_text
from stages.reporting.files import WORKSPACE
from stages.reporting.html import html
from stages.reporting.markdown import FOLDER, markdown
from stages.reporting.plots import read_plots
from stages.reporting.revisions import parse, read_revisions
from stages.reporting.sections import build

PAGE, SUMMARY = "report.html", "report.md"


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.report", description="Write a report.")
    parser.add_argument(
        "revisions", nargs="?", default=WORKSPACE, metavar="REV | REV_A..REV_B",
        help=f"a branch, tag, commit or experiment, or two of them; default: {WORKSPACE}, the working tree",
    )  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, default=Path("report"), help="folder; default: report")
    return parser.parse_args()


def check_folder(folder: Path) -> None:
    """Refuse a folder of other things, whose pictures would be tidied away."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / PAGE).is_file()):
        raise InputError(f"expected an empty folder or an earlier report at {folder}, found other files")


def main() -> None:
    asked = arguments()
    names = parse(asked.revisions)
    check_folder(asked.out)
    revisions = read_revisions(names)
    report = build(revisions, *read_plots(names))
    page, summary = html(report, len(names) > 1), markdown(report)
    write_text(asked.out / PAGE, page)
    for path, data in summary.pictures.items():
        with whole(asked.out / path) as temporary:
            temporary.write_bytes(data)
    keep_only(asked.out / FOLDER, [Path(path).name for path in summary.pictures])
    write_text(asked.out / SUMMARY, summary.text)
    say(f"report: {asked.out / PAGE} ({len(page.encode()) / 1e6:.1f} MB) and {asked.out / SUMMARY}")
    for revision in revisions:
        for missing in revision.missing:
            say(f"report: {revision.name} lacks {missing}")


if __name__ == "__main__":
    run(main)
