"""What is the same text."""

import pytest

from text2image.formats.texts import normalise_text


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
