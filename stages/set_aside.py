"""Stage ``set_aside``: what no model is measured on while a fine-tuned one is in use.

The images and queries that a fine-tuned model learned from, or was chosen by, are left out for all
models, so that all are measured on the same. ``evaluate.part`` can ask for another part instead.
"""

from __future__ import annotations

from stages import run
from text2image.base.console import say
from text2image.collection.manifest import read_groups
from text2image.formats.tables import write_csv
from text2image.params import Params
from text2image.queries.split import SplitRow, others
from text2image.queries.splits import SET_ASIDE, AsideRow, read_split


def aside_rows(run_name: str, rows: list[SplitRow], part: str) -> list[AsideRow]:
    """Return the images and queries of the parts other than ``part``, sorted."""
    seen = [row for row in rows if row.part != part]
    images = {AsideRow("image", row.image_id, run_name, row.part) for row in seen}
    return sorted(images | {AsideRow("query", r.query_id, run_name, r.part) for r in seen if r.query_id})


def main(params: Params) -> None:
    runs = params.tuned_runs()
    group_of = read_groups() if runs else {}
    found = [
        row for name in runs for row in aside_rows(name, read_split(name, group_of), params.evaluate.part)
    ]
    write_csv(SET_ASIDE, AsideRow._fields, found)
    counts = {kind: len({row.id for row in found if row.kind == kind}) for kind in ("image", "query")}
    why = (
        f"the {others(params.evaluate.part)} parts of {', '.join(runs)}"
        if runs
        else "no fine-tuned model is in use"
    )
    say(f"set_aside: {counts['image']} images and {counts['query']} queries ({why})")


if __name__ == "__main__":
    run(main)
