"""What counts as the same word, and where words stand."""

import random

import pytest

from tests.retrieval.systems.test_words import random_texts
from text2image.retrieval.systems.words.folding import fold, words, words_in_place


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("STRASSE", "Straße"),
        ("Crème Brûlée", "creme brulee"),
        ("İSTANBUL ısı", "istanbul isi"),
        ("Øl på Łódź", "ol pa lodz"),
        ("ΣΊΣΥΦΟΣ", "σισυφος"),
        ("Ёлка и чай", "елка и чаи"),
        ("ＳＡＬＥ ５０％", "sale 50%"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("مُحَمَّد أحمـــد", "محمد احمد"),
        ("שָׁלוֹם", "שלום"),
        ("L’Oréal's", "LOREALS"),
        ("co\u00adop ﬁne", "coop fine"),
        ("50 % — off!", "50 %off"),
        ("한국어", "한국어"),
        ("5ALE 0FF FlNAL", "sale off final"),
    ],
)
def test_ways_of_writing_the_same_words_are_one(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("がく", "かく"),
        ("ที", "ทื"),
        ("हिन्दी", "हनद"),
        ("100", "loo"),
        ("15", "is"),
        ("sale", "sell"),
        ("か", "カ"),
    ],
)
def test_different_words_stay_different(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_scripts_without_spaces_are_cut_into_windows_and_others_are_not() -> None:
    assert words("SALE夏季大促20元 한국어") == ["saie", "夏季", "季大", "大促", "20", "元", "한국어"]
    assert words("สวัสดีครับ") == ["สวัสดี", "วัสดีค", "สดีครั", "ดีครับ"]  # four letters each, with their marks
    assert words("鞋") == ["鞋"]
    assert words("¡!… — ’ ̈") == []


@pytest.mark.parametrize("seed", range(3))
def test_folding_twice_is_folding_once_and_words_stand_where_they_are_said_to(seed: int) -> None:
    for text in random_texts(random.Random(seed), 200):
        placed = list(words_in_place(text))
        assert [word.folded for word in placed] == words(text)
        for word in placed:
            assert fold(word.folded) == word.folded
            assert 0 <= word.start < word.end <= len(text)
            assert word.folded in words(text[word.start : word.end])


def test_a_word_stands_without_the_signs_around_it() -> None:
    text = "«L’Été» (50%): 'rock’n’roll' ﬁne夏季大"
    places = [text[word.start : word.end] for word in words_in_place(text)]
    assert places == ["L’Été", "50", "rock’n’roll", "ﬁne夏季大", "ﬁne夏季大", "ﬁne夏季大"]
