"""What people write of the sample's advertisements: of the product, of what they remember of the words, of both."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random

import pytest

from text2image.sample.captions import KINDS, WORD, Caption, Shown, remember, spoken, write_captions
from text2image.sample.cutouts import Cutout
from text2image.sample.plan import Rendition, plan_campaign
from text2image.sample.render import drawn_kinds
from text2image.sample.templates import COLOUR_WORDS, captions_of, plan_template


def shown(item: Rendition) -> Shown:
    """Return what a rendition shows, without drawing it."""
    drawn = drawn_kinds(item.design, item.texts)
    headline, brand = (item.texts[kind] if kind in drawn else "" for kind in ("headline", "brand"))
    return Shown(item.path, item.campaign, item.cutout.path.name, item.hue, item.varies, headline, brand)


def write(files: Sequence[Shown], cutouts: Sequence[Cutout], seed: int = 7) -> list[Caption]:
    return list(write_captions(files, {cutout.path.name: cutout for cutout in cutouts}, seed))


@pytest.fixture(scope="module")
def files(cutouts: list[Cutout]) -> list[Shown]:
    plans = [plan_campaign(7, number, cutouts) for number in range(120)]
    plans += [plan_template(7, number, cutouts) for number in range(12)]
    return [shown(item) for plan in plans for item in plan]


@pytest.fixture(scope="module")
def captions(files: list[Shown], cutouts: list[Cutout]) -> list[Caption]:
    return write(files, cutouts)


def test_there_are_about_as_many_texts_of_each_kind(captions: list[Caption]) -> None:
    texts = {kind: {one.text for one in captions if one.kind == kind} for kind in KINDS}
    sizes = {kind: len(of_kind) for kind, of_kind in texts.items()}
    assert max(sizes.values()) <= 1.25 * min(sizes.values()), sizes
    assert min(sizes.values()) >= 200
    assert sum(sizes.values()) == len(set.union(*texts.values())), "no text is of two kinds"
    assert len(set(captions)) == len(captions)


def test_the_same_seed_remembers_the_same_and_another_does_not(
    files: list[Shown], cutouts: list[Cutout], captions: list[Caption]
) -> None:
    assert write(files, cutouts) == captions
    other = write(files, cutouts, seed=8)
    both = [one for one in other if one.kind == "product"], [one for one in captions if one.kind == "product"]
    assert both[0] == both[1], "what a product is called does not depend on the seed"
    assert set(other) != set(captions)


def test_people_remember_nothing_that_is_not_there(
    files: list[Shown], cutouts: list[Cutout], captions: list[Caption]
) -> None:
    """Most words of the headline, none twice, in lower case; besides them brand, product and 'by'."""
    of_path = {file.path: file for file in files}
    cutout_of = {cutout.path.name: cutout for cutout in cutouts}
    for path, text, kind in captions:
        if kind == "product":
            continue
        file = of_path[path]
        line, words = WORD.findall(file.headline.lower()), Counter(WORD.findall(text))
        assert text == text.lower()
        assert sum((Counter(line) & words).values()) >= max(2, len(line) - 1), (text, file)
        product = {*WORD.findall(file.cutout.rpartition(".")[0].replace("-", " "))}
        for caption in captions_of(cutout_of[file.cutout], file.hue):
            product |= {*WORD.findall(caption)}
        allowed = {*line, *WORD.findall(spoken(file.brand)), "by"} | (product if kind == "both" else set())
        assert words.keys() <= allowed, (text, file)


def test_every_advertisement_with_the_words_has_the_text(files: list[Shown], captions: list[Caption]) -> None:
    """Or a right answer would count as a wrong one."""
    carriers = defaultdict(set)
    for one in captions:
        carriers[one.kind, one.text].add(one.path)
    of_path = {file.path: file for file in files}
    for (kind, text), paths in carriers.items():
        first = of_path[min(paths)]
        if kind == "product" or first.varies == "colour":
            continue
        branded = bool(first.brand) and spoken(first.brand) in text
        same = {
            file.path
            for file in files
            if file.headline == first.headline
            and (file.brand == first.brand or not branded)
            and (file.cutout == first.cutout or kind == "headline")
        }
        assert paths == same, text


def test_no_headline_alone_is_asked_for_that_several_campaigns_have(
    files: list[Shown], captions: list[Caption]
) -> None:
    of_path = {file.path: file for file in files}
    campaigns = defaultdict(set)
    for file in files:
        campaigns[file.headline].add(file.campaign)
    alone = 0
    for path, text, kind in captions:
        file = of_path[path]
        if kind == "headline" and not (file.brand and spoken(file.brand) in text):
            assert len(campaigns[file.headline]) == 1, text
            alone += 1
    assert alone


def test_where_ads_differ_in_the_colour_alone_no_text_of_the_words_names_one(
    files: list[Shown], captions: list[Caption]
) -> None:
    of_path = {file.path: file for file in files}
    of_words = [one for one in captions if of_path[one.path].varies == "colour" and one.kind == "both"]
    assert of_words
    for one in of_words:
        headline = set(of_path[one.path].headline.lower().split())
        assert not set(COLOUR_WORDS.findall(one.text)) - headline, one


def test_a_file_without_words_has_the_captions_of_its_product_alone(cutouts: list[Cutout]) -> None:
    file = Shown("0/a.jpg", "1", "lemon.webp", 0, "design", "", "")
    assert {one.kind for one in write([file], cutouts)} == {"product"}


def test_words_are_forgotten_and_turned_around_but_never_down_to_one() -> None:
    remembered = {remember(Random(seed), "Little joys, big smiles") for seed in range(60)}
    assert {"little joys big smiles", "big smiles little joys", "joys big smiles"} <= remembered
    assert {len(text.split()) for text in remembered} == {3, 4}
    assert {remember(Random(seed), "Game on") for seed in range(30)} == {"game on"}
    assert {remember(Random(seed), "Own the game") for seed in range(30)} == {"own the game", "own game"}
