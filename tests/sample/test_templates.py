"""Campaigns made from templates: what differs, and what is the same again."""

from collections import defaultdict
from itertools import combinations
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageChops, ImageStat

from tests.sample.files import contents
from tests.support.templates import write_templated_ads
from text2image.collection.duplicates import connected_components
from text2image.sample.alterations import ALTERATIONS
from text2image.sample.cutouts import Cutout
from text2image.sample.plan import Rendition
from text2image.sample.quality import pair_quality
from text2image.sample.render import draw
from text2image.sample.templates import COLOUR_WORDS, VARIED, captions_of, plan_template

NUMBERS = range(12)


@pytest.fixture(scope="module")
def templates(cutouts: list[Cutout]) -> list[list[Rendition]]:
    return [plan_template(3, number, cutouts) for number in NUMBERS]


def ads_of(template: list[Rendition]) -> list[Rendition]:
    return [rendition for rendition in template if not rendition.alteration]


def test_ads_of_a_template_differ_in_one_thing(templates: list[list[Rendition]]) -> None:
    for template in templates:
        ads = ads_of(template)
        [varies] = {ad.varies for ad in ads}
        texts = ("headline", "price")
        differ = {name for name in texts if len({ad.texts[name] for ad in ads}) > 1}
        differ |= {"product"} if len({ad.cutout for ad in ads}) > 1 else set()
        differ |= {"colour"} if len({ad.hue for ad in ads}) > 1 else set()
        assert differ == {varies}
        assert len({ad.design for ad in ads}) == 1
        assert len(ads) == len({(ad.cutout, ad.texts["headline"], ad.texts["price"], ad.hue) for ad in ads})
    assert [template[0].varies for template in templates] == list(VARIED) * 3


def test_the_difference_is_drawn(templates: list[list[Rendition]]) -> None:
    for template in templates[:8]:
        pictures = [draw(ad).image for ad in ads_of(template)]
        for other in pictures[1:]:
            difference = ImageChops.difference(pictures[0], other)
            assert max(high for _, high in ImageStat.Stat(difference).extrema) > 60, template[0]


def test_prices_stand_at_the_same_place(templates: list[list[Rendition]]) -> None:
    for template in templates:
        if template[0].varies == "price":
            boxes = [next(t for t in draw(ad).texts if t.kind == "price") for ad in ads_of(template)]
            assert (
                len({(box.box[0], box.box[1], box.font_px) for box in boxes}) == 1
                or template[0].design.layout.centred
            )


def test_a_copy_is_of_one_ad_and_leaves_it_the_picture_that_it_is(templates: list[list[Rendition]]) -> None:
    for template in templates:
        paths = [rendition.path for rendition in template]
        assert len(set(paths)) == len(paths)
        original: dict[int, Rendition] = {ad.picture: ad for ad in ads_of(template)}
        [copy] = [rendition for rendition in template if rendition.alteration]
        same = original[copy.picture]
        assert (copy.cutout, copy.texts, copy.design) == (same.cutout, same.texts, same.design)
        assert copy.path[0] != same.path[0], "they lie in different folders"


def test_the_sample_has_every_alteration_for_every_kind_of_template(templates: list[list[Rendition]]) -> None:
    copies = [rendition for template in templates for rendition in template if rendition.alteration]
    assert len(copies) == len(templates)
    assert {copy.alteration for copy in copies} == set(ALTERATIONS)


def test_recoloured_products_have_captions_without_colours(cutouts: list[Cutout]) -> None:
    by_hue = defaultdict(set)
    for number in range(2, 60, 4):
        for ad in plan_template(5, number, cutouts):
            captions = captions_of(ad.cutout, ad.hue)
            assert captions
            assert ad.hue == 0 or not any(COLOUR_WORDS.search(text) for text in captions)
            by_hue[ad.hue].add(ad.cutout.path.name)
    assert len(by_hue) == 8
    [beetle] = [cutout for cutout in cutouts if cutout.path.stem == "vintage-beetle"]
    assert captions_of(beetle, 0) == ("old red beetle car", "classic rounded vw from side")
    assert captions_of(beetle, 64) == ("classic rounded vw from side",)


def test_files_of_a_seed_are_written_with_their_truth(tmp_path: Path) -> None:
    truth = write_templated_ads(tmp_path / "ads", 11, 6)
    assert {row.path for row in truth} == contents(tmp_path / "ads").keys()
    assert len(truth) == 6 * (4 + 1)
    assert {row.alteration for row in truth} == {"", *ALTERATIONS}
    assert len({row.picture for row in truth}) == 6 * 4


def test_perceptual_hashes_cannot_tell_ads_of_a_template_apart(tmp_path: Path) -> None:
    """So the check of near-duplicates on the sample can fail."""
    truth = pd.DataFrame(write_templated_ads(tmp_path / "ads", 7, 12))
    images = [Image.open(tmp_path / "ads" / path) for path in truth["path"]]
    hashes = [int(str(imagehash.phash(image)), 16) for image in images]
    places = combinations(range(len(hashes)), 2)
    pairs = [(one, other) for one, other in places if (hashes[one] ^ hashes[other]).bit_count() <= 10]
    groups = connected_components(len(hashes), np.array(pairs))
    quality = pair_quality(truth.assign(near_group=groups))
    assert quality["recall"] == 1.0
    assert quality["precision"] < 0.2
    assert all(quality["differences"][name]["false_pairs"] > 5 for name in VARIED)
