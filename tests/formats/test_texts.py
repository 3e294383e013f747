"""What is the same text, and what is a word."""

import random
import time
import unicodedata

import pytest

from text2image.formats.texts import PIECES, count_words, normalise_text, word_ends


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  red\tsneakers \n on sale ", "red sneakers on sale"),
        ("ﬁne\u00a0print\u2028next", "fine print next"),
        ("a\u202eb\u200bc\x00d", "abc d"),
        ("\u200f \t", ""),
        ("é", "é"),
    ],
)
def test_normalised_texts_are_one_clean_line(raw: str, expected: str) -> None:
    assert normalise_text(raw) == expected


def test_long_texts_are_normalised_as_a_whole_would_be() -> None:
    chance = random.Random(11)
    for alphabet in (
        "aeＡ ﬁ\u0301\u0327\u0344é\n",
        "한국어 여름",
        "が゙カ\uff9e 。",
        "क़ो\u093c ",
        "ก\u0e33\u0e38\u0e48 ",
    ):
        text = "".join(chance.choices(alphabet, k=3_000))
        apart = unicodedata.normalize("NFD", text)
        assert len(PIECES.findall(text)) > 3
        assert normalise_text(text) == " ".join(unicodedata.normalize("NFKC", text).split())
        assert normalise_text(apart) == normalise_text(text)


def test_many_accents_on_one_letter_take_no_more_time_than_other_characters() -> None:
    text = "a" + "\u0301\u0327" * 50_000
    start = time.process_time()
    assert len(normalise_text(text)) in range(90_000, len(text))
    assert time.process_time() - start < 3.0, "20 s as a whole"


@pytest.mark.parametrize(
    ("text", "words", "counted"),
    [
        ("Own the game", ["Own", " the", " game"], 3),
        ("- 40 % !", ["-", " 40", " %", " !"], 1),
        ("「夏のバーゲンセール」開催中！", ["「夏の", "バー", "ゲン", "セー", "ル」開", "催中！"], 6),
        ("新款iPhone手机", ["新款", "iPhone", "手机"], 3),
        ("ยินดีต้อนรับ", ["ยินดีต้", "อนรับ"], 2),  # vowel signs and tones are not counted
        ("한국어 여름 세일", ["한국어", " 여름", " 세일"], 3),
        ("", [], 0),
    ],
)
def test_words_end_at_spaces_or_after_so_many_letters(text: str, words: list[str], counted: int) -> None:
    ends = word_ends(text)
    assert [text[start:end] for start, end in zip([0, *ends], ends, strict=False)] == words
    assert count_words(text) == counted
