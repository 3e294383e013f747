"""Stage sample: what the creatives promise, and the cut-outs that they are made of."""

import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from text2image.base.console import InputError
from text2image.formats.tables import read_csv
from text2image.sample.colour import INK, MIN_CONTRAST, PALETTES, WHITE, contrast, readable, worst_contrast
from text2image.sample.compose import Truth, write_sample
from text2image.sample.cutouts import Cutout, read_cutouts
from text2image.sample.layouts import LAYOUTS, SIZES, shape
from text2image.sample.plan import plan_campaign
from text2image.sample.render import Creative, render
from text2image.sample.text import fit_column

CUTOUTS = Path(__file__).parents[2] / "sample" / "cutouts"
CAMPAIGNS = 10


def read_table(path: Path) -> list[dict[str, str]]:
    return read_csv(path, [])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("?/*")}


@pytest.fixture(scope="module")
def cutouts() -> list[Cutout]:
    return read_cutouts(CUTOUTS)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("serial") / "sample"
    write_sample(CUTOUTS, output, campaigns=CAMPAIGNS, seed=7, workers=1)
    return output


@pytest.fixture(scope="module")
def truth(sample: Path) -> list[dict[str, str]]:
    return read_table(sample.with_name("sample_truth.csv"))


@pytest.fixture(scope="module")
def creatives(cutouts: list[Cutout]) -> list[Creative]:
    """Renditions of more campaigns than are written, drawn but not encoded."""
    return [render(item) for number in range(60) for item in plan_campaign(3, number, cutouts)]


def pairs_of_kind(truth: list[dict[str, str]], kind: str) -> Iterator[tuple[str, str]]:
    originals = {row["campaign"]: row["path"] for row in truth if row["kind"] == "original"}
    for row in truth:
        if row["kind"] == kind:
            yield originals[row["campaign"]], row["path"]


class TestSample:
    def test_parallel_run_gives_the_same_bytes(self, sample: Path, tmp_path: Path) -> None:
        again = tmp_path / "sample"
        write_sample(CUTOUTS, again, campaigns=CAMPAIGNS, seed=7, workers=2)
        assert contents(again) == contents(sample)
        for table in ("sample_truth.csv", "sample_captions.csv"):
            assert (tmp_path / table).read_bytes() == sample.with_name(table).read_bytes()

    def test_fewer_campaigns_are_a_part_of_more(self, sample: Path, tmp_path: Path) -> None:
        write_sample(CUTOUTS, tmp_path / "sample", campaigns=3, seed=7, workers=1)
        assert contents(tmp_path / "sample").items() <= contents(sample).items()

    def test_another_seed_gives_other_files(self, sample: Path, tmp_path: Path) -> None:
        write_sample(CUTOUTS, tmp_path / "sample", campaigns=2, seed=8, workers=1)
        assert not set(contents(tmp_path / "sample")) & set(contents(sample))

    def test_earlier_output_is_replaced_and_nothing_else_is_left(self, tmp_path: Path) -> None:
        for campaigns in (3, 1):
            write_sample(CUTOUTS, tmp_path / "sample", campaigns=campaigns, seed=7, workers=1)
        assert len(contents(tmp_path / "sample")) == 2
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"sample", "sample_captions.csv", "sample_truth.csv"}

    def test_truth_names_every_file_once(self, sample: Path, truth: list[dict[str, str]]) -> None:
        paths = [row["path"] for row in truth]
        assert paths == sorted(set(paths)) == sorted(contents(sample))
        assert set(truth[0]) == set(Truth._fields)

    def test_both_folders_hold_every_campaign(self, truth: list[dict[str, str]]) -> None:
        held = {(row["campaign"], row["path"][0]) for row in truth}
        assert held == {(str(number), folder) for number in range(CAMPAIGNS) for folder in "01"}

    def test_campaigns_differ_in_their_cutout(self, truth: list[dict[str, str]]) -> None:
        assert len({row["cutout"] for row in truth}) == CAMPAIGNS

    def test_every_file_has_both_captions_of_its_object(
        self, sample: Path, truth: list[dict[str, str]]
    ) -> None:
        captions = {(row["cutout"], row["text"]) for row in read_table(CUTOUTS / "captions.csv")}
        written = read_table(sample.with_name("sample_captions.csv"))
        cutout = {row["path"]: row["cutout"] for row in truth}
        assert len(written) == 2 * len(truth)
        assert len({(row["path"], row["text"]) for row in written}) == len(written)
        assert all((cutout[row["path"]], row["text"]) in captions for row in written)

    def test_sizes_are_those_of_advertisements(self, sample: Path, truth: list[dict[str, str]]) -> None:
        for row in truth:
            with Image.open(sample / row["path"]) as image:
                assert image.size in SIZES
                assert image.mode == "RGB"

    def test_copies_have_the_bytes_of_their_original(self, sample: Path, truth: list[dict[str, str]]) -> None:
        pairs = list(pairs_of_kind(truth, "copy"))
        assert pairs
        for original, copy in pairs:
            assert original[0] != copy[0]
            assert (sample / original).read_bytes() == (sample / copy).read_bytes()

    def test_near_duplicates_are_near_but_not_equal(self, sample: Path, truth: list[dict[str, str]]) -> None:
        pairs = list(pairs_of_kind(truth, "near_duplicate"))
        assert pairs
        for original, near in pairs:
            assert (sample / original).read_bytes() != (sample / near).read_bytes()
            hashes = [imagehash.phash(Image.open(sample / path)) for path in (original, near)]
            assert hashes[0] - hashes[1] <= 6

    def test_other_renditions_differ_in_size(self, sample: Path, truth: list[dict[str, str]]) -> None:
        for original, other in pairs_of_kind(truth, "rendition"):
            assert Image.open(sample / original).size != Image.open(sample / other).size

    def test_texts_are_not_captions(self, truth: list[dict[str, str]]) -> None:
        captions = [row["text"].lower() for row in read_table(CUTOUTS / "captions.csv")]
        for row in truth:
            assert row["headline"] in row["text"].split(" | ")
            assert not any(caption in row["text"].lower() for caption in captions)


class TestDrawnText:
    def test_stays_inside_the_canvas(self, creatives: list[Creative]) -> None:
        for creative in creatives:
            for text in creative.texts:
                left, top, right, bottom = text.box
                assert 0 <= left < right <= creative.image.width, text
                assert 0 <= top < bottom <= creative.image.height, text

    def test_does_not_overlap_other_text(self, creatives: list[Creative]) -> None:
        for creative in creatives:
            for one, other in combinations((text.box for text in creative.texts), 2):
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                assert apart, creative.texts

    def test_can_be_read(self, creatives: list[Creative]) -> None:
        assert min(text.contrast for creative in creatives for text in creative.texts) >= MIN_CONTRAST

    def test_headline_is_large_where_there_is_room(self, creatives: list[Creative]) -> None:
        for creative in creatives:
            headline_px = next((text.font_px for text in creative.texts if text.kind == "headline"), 0)
            assert headline_px >= (24 if min(creative.image.size) > 250 else 16)

    def test_text_that_cannot_fit_is_left_out(self) -> None:
        assert fit_column([("headline", "Immeasurable")], "sans", (20, 20), 40) == (0, [])
        assert fit_column([], "sans", (200, 200), 40) == (0, [])

    def test_terms_go_before_the_headline_shrinks(self) -> None:
        texts = [("headline", "Eat well"), ("terms", "Terms apply, and more of them than fit in here.")]
        unit, blocks = fit_column(texts, "sans", (150, 44), 40)
        assert unit >= 24
        assert [block.kind for block in blocks] == ["headline"]


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast((0, 0, 0), WHITE) == pytest.approx(21.0)
    assert contrast(WHITE, WHITE) == pytest.approx(1.0)
    assert readable([WHITE]) == INK
    assert readable([INK], preferred=[(255, 255, 0)]) == (255, 255, 0)


def test_text_can_be_read_on_every_palette() -> None:
    for palette in PALETTES:
        ground = (palette.start, palette.end)
        assert worst_contrast(readable(ground), ground) >= MIN_CONTRAST
        assert contrast(readable([palette.accent]), palette.accent) >= MIN_CONTRAST


def test_every_size_has_layouts() -> None:
    assert {shape(size) for size in SIZES} == set(LAYOUTS)


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
        assert len(write_sample(folder, tmp_path / "sample", campaigns=2, seed=1, workers=1)) == 4

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
        write_sample(folder, tmp_path / "sample", campaigns=1, seed=1, workers=1)
        (folder / "categories.csv").unlink()
        with pytest.raises(InputError):
            write_sample(folder, tmp_path / "sample", campaigns=1, seed=2, workers=1)
        assert len(contents(tmp_path / "sample")) == 2
