"""Stage ``examples@SOURCE``: pictures of what every system found for the queries of one source that are worth a look."""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.collection.manifest import read_gallery
from text2image.formats.files import keep_only
from text2image.formats.tables import read_csv
from text2image.pages.sheets.examples import COLUMNS, NUMBERS, examples_sheets
from text2image.pages.sheets.sheet import save_sheet
from text2image.params import Params


def main(params: Params, source: str) -> None:
    images = {image.image_id: image for image in read_gallery(ARTIFACTS.manifest, params.data.images)}
    rows = read_csv(ARTIFACTS.examples(source), COLUMNS, numbers=NUMBERS)
    paths = []
    for name, sheet in examples_sheets(source, rows, images):
        paths.append(ARTIFACTS.sheet(f"examples/{source}/{name}"))
        save_sheet(paths[-1], sheet)
    keep_only(paths[0].parent, paths)


if __name__ == "__main__":
    run(main, "source")
