"""The sample: what its files and tables promise."""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from tests.sample.files import CUTOUTS, contents, read_table
from text2image.sample.compose import Truth, write_sample
from text2image.sample.layouts import SIZES
from text2image.sample.wording import BRAND_ENDS, BRAND_STARTS, alternatives

CAMPAIGNS, TEMPLATES = 10, 4


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("serial") / "sample"
    write_sample(CUTOUTS, output, campaigns=CAMPAIGNS, templates=TEMPLATES, seed=7, workers=1)
    return output


@pytest.fixture(scope="module")
def truth(sample: Path) -> list[dict[str, str]]:
    return read_table(sample.with_name("sample_truth.csv"))


def pairs_of_kind(truth: list[dict[str, str]], kind: str) -> Iterator[tuple[str, str]]:
    """Yield files of a kind behind the picture that they repeat, or behind the first of their campaign."""
    originals = {row["picture"]: row["path"] for row in truth if row["kind"] in ("original", "rendition")}
    for row in truth:
        if row["kind"] == kind:
            first = f"{row['campaign']}/0" if kind == "rendition" else row["picture"]
            yield originals[first], row["path"]


class TestSample:
    def test_parallel_run_gives_the_same_bytes(self, sample: Path, tmp_path: Path) -> None:
        again = tmp_path / "sample"
        write_sample(CUTOUTS, again, campaigns=CAMPAIGNS, templates=TEMPLATES, seed=7, workers=2)
        assert contents(again) == contents(sample)
        for table in ("sample_truth.csv", "sample_captions.csv"):
            assert (tmp_path / table).read_bytes() == sample.with_name(table).read_bytes()

    def test_fewer_campaigns_are_a_part_of_more(self, sample: Path, tmp_path: Path) -> None:
        write_sample(CUTOUTS, tmp_path / "sample", campaigns=3, templates=2, seed=7, workers=1)
        assert contents(tmp_path / "sample").items() <= contents(sample).items()

    def test_another_seed_gives_other_files(self, sample: Path, tmp_path: Path) -> None:
        write_sample(CUTOUTS, tmp_path / "sample", campaigns=2, templates=1, seed=8, workers=1)
        assert not set(contents(tmp_path / "sample")) & set(contents(sample))

    def test_earlier_output_is_replaced_and_nothing_else_is_left(self, tmp_path: Path) -> None:
        for campaigns in (3, 1):
            write_sample(CUTOUTS, tmp_path / "sample", campaigns=campaigns, templates=0, seed=7, workers=1)
        assert len(contents(tmp_path / "sample")) == 2
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"sample", "sample_captions.csv", "sample_truth.csv"}

    def test_truth_names_every_file_once(self, sample: Path, truth: list[dict[str, str]]) -> None:
        paths = [row["path"] for row in truth]
        assert paths == sorted(set(paths)) == sorted(contents(sample))
        assert set(truth[0]) == set(Truth._fields)

    def test_both_folders_hold_every_campaign(self, truth: list[dict[str, str]]) -> None:
        held = {(row["campaign"], row["path"][0]) for row in truth}
        names = [*map(str, range(CAMPAIGNS)), *(f"template-{number}" for number in range(TEMPLATES))]
        assert held == {(name, folder) for name in names for folder in "01"}

    def test_campaigns_differ_in_their_cutout(self, truth: list[dict[str, str]]) -> None:
        own = {row["cutout"] for row in truth if row["varies"] == "design"}
        assert len(own) == CAMPAIGNS
        assert not own & {row["cutout"] for row in truth if row["varies"] != "design"}, "there are enough"

    def test_every_file_has_both_captions_of_its_object(
        self, sample: Path, truth: list[dict[str, str]]
    ) -> None:
        """Where the object was given other colours, those that name none."""
        captions = {(row["cutout"], row["text"]) for row in read_table(CUTOUTS / "captions.csv")}
        written = [
            row for row in read_table(sample.with_name("sample_captions.csv")) if row["kind"] == "product"
        ]
        cutout = {row["path"]: row["cutout"] for row in truth}
        recoloured = {row["path"] for row in truth if row["hue"] != "0"}
        n_captions = Counter(row["path"] for row in written)
        assert all(n_captions[path] == 2 for path in cutout if path not in recoloured)
        assert recoloured <= n_captions.keys()
        assert len({(row["path"], row["text"]) for row in written}) == len(written)
        assert all((cutout[row["path"]], row["text"]) in captions for row in written)

    def test_brands_are_those_that_are_drawn(self, truth: list[dict[str, str]]) -> None:
        parts = (alternatives(BRAND_STARTS), alternatives(BRAND_ENDS))
        brands = {"".join(both) for both in product(*parts)}
        for row in truth:
            assert [text for text in row["text"].split(" | ") if text in brands] == [row["brand"]] * bool(
                row["brand"]
            )
        assert {row["brand"] == "" for row in truth} == {True, False}

    def test_sizes_are_those_of_advertisements(self, sample: Path, truth: list[dict[str, str]]) -> None:
        for row in truth:
            with Image.open(sample / row["path"]) as image:
                assert row["alteration"] or image.size in SIZES
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
            assert hashes[0] - hashes[1] <= 10

    def test_other_renditions_differ_in_size(self, sample: Path, truth: list[dict[str, str]]) -> None:
        for original, other in pairs_of_kind(
            [row for row in truth if row["varies"] == "design"], "rendition"
        ):
            assert Image.open(sample / original).size != Image.open(sample / other).size

    def test_texts_are_not_captions(self, truth: list[dict[str, str]]) -> None:
        captions = [row["text"].lower() for row in read_table(CUTOUTS / "captions.csv")]
        for row in truth:
            assert row["headline"] in row["text"].split(" | ")
            assert not any(caption in row["text"].lower() for caption in captions)
