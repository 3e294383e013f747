"""Stage ``catalog``: scan the image folder, prove that every file decodes, and say what is in it.

The only stage that depends on the image folder; the others read the manifest. Files that did not change since
an earlier run are not read again; `t2i catalog --verify` reads them all the same.
"""

from collections import Counter
from collections.abc import Sequence

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import one_line, say
from text2image.base.store import Store
from text2image.collection.catalog import (
    COLUMNS,
    Entry,
    Reject,
    check_usable,
    group_entries,
    read_folder,
    summary,
)
from text2image.collection.facts import determinants
from text2image.collection.groups import determinants as verdict_determinants
from text2image.collection.locations import location
from text2image.collection.manifest import ManifestEntry
from text2image.collection.scan import check_pin, check_unchanged, scan
from text2image.formats.files import write_json
from text2image.formats.tables import chart_text, write_csv
from text2image.params import Params


def main(params: Params) -> None:
    settings, root = params.catalog, location(params.data.images)
    files = scan(root)
    check_pin(params.data.images, files)
    with Store("catalog", determinants(root, settings.max_pixels)) as store:
        entries, rejects = read_folder(root, settings.max_pixels, files, store)
    check_usable(root, entries, rejects, settings.max_rejected)
    bits, levels = settings.near_duplicate_bits, settings.near_duplicate_levels
    with Store("near_duplicates", verdict_determinants(levels)) as store:
        groups, bounded = group_entries(root, entries, bits, levels, store)
    write_csv(ARTIFACTS.catalog, (*COLUMNS, "near_group"), catalog_rows(entries, groups))
    write_csv(ARTIFACTS.rejects, Reject._fields, rejects)
    manifest = sorted(
        ManifestEntry(entry.image_id, entry.path, entry.rendering, entry.width, entry.height)
        for entry in entries
    )
    write_csv(ARTIFACTS.manifest, ManifestEntry._fields, manifest)
    sizes = [(entry.width, entry.height, chart_text(entry.folder), entry.format) for entry in entries]
    write_csv(ARTIFACTS.plot("image_sizes"), ("width", "height", "folder", "format"), sizes)
    write_json(ARTIFACTS.metrics("dataset"), summary(entries, rejects, groups) | {"bounded_images": bounded})
    say(f"catalog: {len(entries)} usable files, {len(rejects)} rejected ({ARTIFACTS.rejects})")
    say_notes(entries, bounded)
    check_unchanged(root, files)  # at the very end, as DVC looks at the folder next


def catalog_rows(entries: Sequence[Entry], groups: Sequence[int]) -> list[tuple[object, ...]]:
    """Return the rows of data/catalog.csv; ``blank`` is 1 or 0."""
    return [
        (*entry[: len(COLUMNS) - 1], int(entry.blank), group)
        for entry, group in zip(entries, groups, strict=True)
    ]


def say_notes(entries: Sequence[Entry], bounded: int) -> None:
    """Say which files are blank or not rendered plainly, and how many images could have been compared with more."""
    if blank := [entry.path for entry in entries if entry.blank]:
        say(
            f"catalog: {len(blank)} file{' is' if len(blank) == 1 else 's are'} blank (one colour), such as "
            f"{one_line(blank[0])}, and near-duplicates of nothing; see {ARTIFACTS.catalog} (column blank)"
        )
    if rendered := Counter(entry.rendering for entry in entries if entry.rendering):
        names = ", ".join(f"{name}: {count}" for name, count in sorted(rendered.items()))
        say(
            f"catalog: {rendered.total()} files are rendered so that they are seen rightly ({names}; docs/collection.md)"
        )
    if bounded:
        say(
            f"catalog: {bounded} images look like very many others, as ads of one template do; each was compared with "
            "those most like it alone, so that copies of it may be missed (docs/metrics.md)"
        )


if __name__ == "__main__":
    run(main)
