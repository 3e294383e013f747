"""Stage ``catalog``: scan the image folder, prove that every file decodes, and say what is in it.

The only stage that depends on the image folder; the others read the manifest. Files that did not change since
an earlier run are not read again; `t2i catalog --verify` reads them all the same.
"""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.base.store import Store
from text2image.collection.catalog import Entry, Reject, check_usable, group_entries, read_folder, summary
from text2image.collection.facts import determinants
from text2image.collection.locations import location
from text2image.collection.manifest import ManifestEntry
from text2image.collection.scan import check_pin, scan
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
    groups = group_entries(entries, settings.near_duplicate_bits)

    rows = [(*entry, group) for entry, group in zip(entries, groups, strict=True)]
    write_csv(ARTIFACTS.catalog, (*Entry._fields, "near_group"), rows)
    write_csv(ARTIFACTS.rejects, Reject._fields, rejects)
    manifest = sorted(ManifestEntry(entry.image_id, entry.path, entry.rendering) for entry in entries)
    write_csv(ARTIFACTS.manifest, ManifestEntry._fields, manifest)
    sizes = [(entry.width, entry.height, chart_text(entry.folder), entry.format) for entry in entries]
    write_csv(ARTIFACTS.plot("image_sizes"), ("width", "height", "folder", "format"), sizes)
    write_json(ARTIFACTS.metrics("dataset"), summary(entries, rejects, groups))
    say(f"catalog: {len(entries)} usable files, {len(rejects)} rejected ({ARTIFACTS.rejects})")


if __name__ == "__main__":
    run(main)
