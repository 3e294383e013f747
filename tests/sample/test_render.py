"""What is drawn can be read."""

from itertools import combinations

import pytest

from text2image.sample.colour import INK, MIN_CONTRAST, PALETTES, WHITE, contrast, readable, worst_contrast
from text2image.sample.cutouts import Cutout
from text2image.sample.layouts import LAYOUTS, SIZES, shape
from text2image.sample.plan import plan_campaign
from text2image.sample.render import Creative, alter, draw
from text2image.sample.text import fit_column


@pytest.fixture(scope="module")
def creatives(cutouts: list[Cutout]) -> list[Creative]:
    """Renditions of more campaigns than are written, drawn but not encoded."""
    return [alter(draw(item), item) for number in range(60) for item in plan_campaign(3, number, cutouts)]


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
