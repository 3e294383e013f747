"""The cut-outs: good ones, and what may be wrong with a folder of one's own."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.sample.files import CUTOUTS, contents, read_table
from text2image.base.console import InputError
from text2image.sample.compose import write_sample
from text2image.sample.cutouts import Cutout, read_cutouts


class TestCutouts:
    def test_pictures(self, cutouts: list[Cutout]) -> None:
        files = sorted(CUTOUTS.glob("*.webp"))
        assert [cutout.path for cutout in cutouts] == files
        assert len(files) >= 120
        assert sum(file.stat().st_size for file in files) <= 4_500_000
        for file in files:
            with Image.open(file) as image:
                assert image.mode == "RGBA", file
                assert max(image.size) <= 512, file
                alpha = image.getchannel("A")
                assert alpha.getextrema()[0] == 0, file
                assert alpha.getbbox() == (0, 0, *image.size), file

    def test_captions(self, cutouts: list[Cutout]) -> None:
        texts = [text.lower() for cutout in cutouts for text in cutout.captions]
        assert all(len(cutout.captions) == 2 for cutout in cutouts)
        assert len(set(texts)) == len(texts)

    def test_origin_and_licence(self, cutouts: list[Cutout]) -> None:
        origin = read_table(CUTOUTS / "origin.csv")
        assert [row["cutout"] for row in origin] == [cutout.path.name for cutout in cutouts]
        assert len({row["source_path"] for row in origin}) == len(origin)
        assert "GNU GENERAL PUBLIC LICENSE" in (CUTOUTS / "LICENSE").read_text(encoding="utf-8")
        assert f"{len(cutouts)} photographed objects" in (CUTOUTS / "README.md").read_text(encoding="utf-8")


class TestBadInput:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "cutouts"
        folder.mkdir()
        shutil.copy(CUTOUTS / "lemon.webp", folder)
        (folder / "captions.csv").write_text("cutout,text\nlemon.webp,a lemon\n", encoding="utf-8")
        (folder / "categories.csv").write_text("cutout,category\nlemon.webp,food\n", encoding="utf-8")
        return folder

    def test_a_small_folder_is_enough(self, folder: Path, tmp_path: Path) -> None:
        truth = write_sample(folder, tmp_path / "sample", campaigns=2, templates=4, seed=1, workers=1)
        assert len(truth) == 4 + (1 + 1) + 3 * (4 + 1), "there is no other product for the first template"

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"captions\.csv, found no such file"):
            read_cutouts(tmp_path / "nowhere")

    def test_missing_column(self, folder: Path) -> None:
        (folder / "captions.csv").write_text("file,text\nlemon.webp,a lemon\n", encoding="utf-8")
        with pytest.raises(InputError, match=r"columns cutout, text in .*captions\.csv, found file, text"):
            read_cutouts(folder)

    def test_no_rows(self, folder: Path) -> None:
        (folder / "captions.csv").write_text("cutout,text\n", encoding="utf-8")
        with pytest.raises(InputError, match="found none"):
            read_cutouts(folder)

    def test_caption_of_a_missing_picture(self, folder: Path) -> None:
        (folder / "lemon.webp").unlink()
        with pytest.raises(InputError, match=r"lemon\.webp that .*captions\.csv names, found no such file"):
            read_cutouts(folder)

    def test_not_a_picture(self, folder: Path) -> None:
        (folder / "lemon.webp").write_bytes(b"lemon")
        with pytest.raises(InputError, match=r"expected a picture in .*lemon\.webp"):
            read_cutouts(folder)

    def test_unknown_category(self, folder: Path) -> None:
        (folder / "categories.csv").write_text("cutout,category\nlemon.webp,sour\n", encoding="utf-8")
        with pytest.raises(InputError, match=r"category of lemon\.webp .* found 'sour'"):
            read_cutouts(folder)

    def test_bad_input_leaves_earlier_output(self, folder: Path, tmp_path: Path) -> None:
        write_sample(folder, tmp_path / "sample", campaigns=1, templates=0, seed=1, workers=1)
        (folder / "categories.csv").unlink()
        with pytest.raises(InputError):
            write_sample(folder, tmp_path / "sample", campaigns=1, templates=0, seed=2, workers=1)
        assert len(contents(tmp_path / "sample")) == 2
