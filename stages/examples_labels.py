"""Stage ``examples_labels@SOURCE``: images with the texts of one source, and its most suspicious labels."""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.collection.manifest import read_gallery
from text2image.formats.tables import IF_KNOWN, read_csv
from text2image.pages.sheets.labels import audit_sheet, labels_sheet
from text2image.pages.sheets.sheet import save_sheet
from text2image.params import Params


def main(params: Params, source: str) -> None:
    images = {image.image_id: image for image in read_gallery(ARTIFACTS.manifest, params.data.images)}
    labels = read_csv(
        ARTIFACTS.labels(source), ["image_id", "text", "confidence"], numbers={"confidence": IF_KNOWN}
    )
    save_sheet(ARTIFACTS.sheet(f"labels/{source}"), labels_sheet(source, labels, images))
    audit = ARTIFACTS.audit(source)
    findings = read_csv(audit, ["image_id", "text", "finding", "why"])
    sheet = audit_sheet(source, findings, images, audit.as_posix())
    save_sheet(ARTIFACTS.sheet(f"audit/{source}"), sheet)


if __name__ == "__main__":
    run(main, "source")
