"""Stage ``examples_dataset``: pictures of what is in the image folder, and of what looks alike there."""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.collection.locations import location
from text2image.formats.tables import read_csv
from text2image.pages.sheets.dataset import dataset_sheet, near_identical_sheet
from text2image.pages.sheets.sheet import save_sheet
from text2image.params import Params


def main(params: Params) -> None:
    root = location(params.data.images)
    columns = ["path", "image_id", "folder", "width", "height", "near_group", "rendering", "blank"]
    files = read_csv(ARTIFACTS.catalog, columns)
    save_sheet(ARTIFACTS.sheet("dataset_examples"), dataset_sheet(root, files))
    save_sheet(ARTIFACTS.sheet("near_identical"), near_identical_sheet(root, files))


if __name__ == "__main__":
    run(main)
