"""Which words of an image's texts a query was found in."""

from collections.abc import Iterator

from text2image.formats.fields import FieldText
from text2image.retrieval.systems.scorer import Match, Why
from text2image.retrieval.systems.words.documents import Fields
from text2image.retrieval.systems.words.folding import Word, words, words_in_place
from text2image.retrieval.systems.words.likeness import is_part, likeness

FAINT = 0.25
"""Texts with a smaller part of the query's letters than this part of the best text's are no explanation."""


def explain(query: str, fields: Fields, image: int) -> Why:
    """Return the texts of an image in which a query was found, the best first.

    A word of a text is shown if it is alike (:mod:`.likeness`) to a word of the query, whatever the index was made to
    match. Texts are ordered by how many letters of the query they have, each word's by the most alike word of theirs.
    """
    asked = sorted(set(words(query)))
    found = []
    for field, texts in fields.items():
        for text in texts[image]:
            letters, matched = _matched(asked, text)
            if matched:
                found.append((letters, Match(field, text, matched)))
    found.sort(key=lambda item: -item[0])
    return Why(tuple(match for letters, match in found if letters >= FAINT * found[0][0]))


def _matched(asked: list[str], text: FieldText) -> tuple[float, tuple[str, ...]]:
    """Return how many letters of the query a text has, and its words that have them."""
    present = list(words_in_place(text.text))
    alike = [[likeness(one, word.folded) for one in asked] for word in present]
    letters = sum(len(one) * max(row[i] for row in alike) for i, one in enumerate(asked)) if present else 0.0
    matching = [
        _narrowed(word, [one for one, like in zip(asked, row, strict=True) if like > 0])
        for word, row in zip(present, alike, strict=True)
        if max(row, default=0.0) > 0
    ]
    return letters, tuple(text.text[start:end] for start, end in _joined(matching))


def _narrowed(word: Word, matched: list[str]) -> Word:
    """Return a word of a text, or the letters in it that are asked for where that is less than a window of its script."""
    inside = [one for one in matched if is_part(one, word.folded)]
    if inside != matched or len(word.folded) != word.end - word.start:
        return word
    start = min(word.folded.index(one) for one in inside)
    end = max(word.folded.index(one) + len(one) for one in inside)
    return Word(word.folded[start:end], word.start + start, word.start + end)


def _joined(matching: list[Word]) -> Iterator[tuple[int, int]]:
    """Yield the places of words, those that overlap as one, which windows of an unspaced script do."""
    start = end = -1
    for word in matching:
        if word.start < end:
            end = max(end, word.end)
            continue
        if end > 0:
            yield start, end
        start, end = word.start, word.end
    if end > 0:
        yield start, end
