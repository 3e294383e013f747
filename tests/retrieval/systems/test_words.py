"""Search by words against naive dictionaries, scikit-learn, and slips of reading."""

import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import pytest

from text2image.base.arrays import Vectors
from text2image.formats.fields import FieldText
from text2image.retrieval.ranking import ranks, top_k
from text2image.retrieval.systems import settings
from text2image.retrieval.systems.build import SystemInputs, build
from text2image.retrieval.systems.words import documents
from text2image.retrieval.systems.words.folding import words
from text2image.retrieval.systems.words.search import Match, WordIndex, WordScorer

MATCHES: tuple[Match, ...] = ("ngrams", "words", "both")
SCRIPTS = (
    "crème brûlée été naïve sale summer sumner summersale 5ale off 0ff the shoe shoes 50% L’Oréal o'clock ß straße",
    "скидка скидки лето летняя Ёлка ёлка чай распродажа в на",
    "夏季大促销 促销 夏季 鞋 红鞋 运动鞋 大",
    "クリスマスセール ｾｰﾙ 開催中 ガイド かばん かばんセール",
    "تخفيضات الصيف مُحَمَّد محمد أحذية",
    "ลดราคาพิเศษ ลดราคา รองเท้า ฤดูร้อน",
)


def random_texts(generator: random.Random, n: int) -> list[str]:
    """Return texts of some words of one script each, few distinct ones, so that there are ties; some are empty."""
    found = []
    for _ in range(n):
        choice = generator.choice(SCRIPTS).split()
        found.append(" ".join(generator.choice(choice) for _ in range(generator.randint(0, 4))))
    return found


def images_of(texts: Sequence[Sequence[str]]) -> list[list[FieldText]]:
    return [[FieldText(f"{image:04}", text) for text in own] for image, own in enumerate(texts)]


def scorer(queries: Sequence[str], texts: Sequence[Sequence[str]], match: Match) -> WordScorer:
    return WordScorer(queries, WordIndex({"ocr": images_of(texts)}, match))


# The naive oracle: dictionaries and the formulas of the docstrings.


def naive_grams(word: str) -> list[str]:
    padded = f" {word} "
    return [padded[i : i + n] for n in (2, 3, 4) for i in range(len(padded) - n + 1)]


def naive_ngrams(query: str, texts: Sequence[str]) -> list[float]:
    bags = [Counter(gram for word in words(text) for gram in naive_grams(word)) for text in texts]
    n = sum(bool(bag) for bag in bags)
    holders = Counter(gram for bag in bags for gram in bag)

    def weigh(bag: Counter[str]) -> dict[str, float]:
        known = {gram: times for gram, times in bag.items() if gram in holders}
        found = {
            gram: (1 + math.log(times)) * (math.log((1 + n) / (1 + holders[gram])) + 1)
            for gram, times in known.items()
        }
        length = math.sqrt(math.fsum(weight**2 for weight in found.values()))
        return {gram: weight / length for gram, weight in found.items()}

    asked = weigh(Counter(gram for word in words(query) for gram in naive_grams(word)))
    images = [weigh(bag) for bag in bags]
    return [
        math.fsum(weight * image[gram] for gram, weight in asked.items() if gram in image) for image in images
    ]


def naive_likeness(asked: str, word: str) -> float:
    short = 2 if asked[0] >= "\u3040" and asked[0] < "\u9fff" else 4 if "\u0e00" <= asked[0] < "\u0e80" else 0
    if asked == word or (len(asked) < short and asked in word):
        return 1.0
    own = set(naive_grams(asked))
    share = len(own & set(naive_grams(word))) / len(own)
    return share if share >= (0.5 if len(asked) > 4 else 0.55) and len(asked) > 2 else 0.0


def naive_bm25(query: str, texts: Sequence[str]) -> list[float]:
    bags = [Counter(words(text)) for text in texts]
    n = sum(bool(bag) for bag in bags)
    average = sum(bag.total() for bag in bags) / max(1, n)
    holders = Counter(word for bag in bags for word in bag)
    scores, whole = [0.0] * len(texts), 0.0
    for asked in words(query):
        alike = {word: like for word in holders if (like := naive_likeness(asked, word))}
        df = min(n, sum(like * holders[word] for word, like in alike.items()))
        idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
        whole += idf
        for image, bag in enumerate(bags):
            for word, like in alike.items():
                if tf := bag[word]:
                    saturated = tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * bag.total() / average))
                    scores[image] += idf * like * saturated
    return [score / whole if whole else 0.0 for score in scores]


def naive_scores(queries: Sequence[str], texts: Sequence[Sequence[str]], match: Match) -> Vectors:
    joined = [" ".join(own) for own in texts]
    grams = np.array([naive_ngrams(query, joined) for query in queries])
    bm25 = np.array([naive_bm25(query, joined) for query in queries])
    return {"ngrams": grams, "words": bm25, "both": (grams + bm25) / 2}[match].astype(np.float32)


def naive_order(line: Vectors) -> list[int]:
    """Return the images by their scores, ties by their place; scores that differ by rounding alone are equal."""
    return sorted(range(len(line)), key=lambda column: (-round(float(line[column]), 6), column))


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("seed", range(4))
def test_scores_and_ranks_equal_those_of_naive_dictionaries(match: Match, seed: int) -> None:
    generator = random.Random(seed)
    texts = [random_texts(generator, generator.randint(0, 3)) for _ in range(150)]
    queries = [*random_texts(generator, 25), "", "?!", "鞋", "nothing like it"]
    scores = scorer(queries, texts, match).scores(slice(0, len(queries)))
    expected = naive_scores(queries, texts, match)
    np.testing.assert_allclose(scores, expected, rtol=3e-7, atol=1e-7)
    assert len(np.unique(scores)) < scores.size / 2, "ties"
    rows, columns = map(np.ravel, np.mgrid[0 : len(queries), 0:150])
    orders = [naive_order(line) for line in expected]
    places = [orders[row].index(column) + 1 for row, column in zip(rows, columns, strict=True)]
    assert ranks(scores, rows, columns).tolist() == places
    assert top_k(scores, 1000).tolist() == orders  # more than there are images


def test_ngrams_are_those_of_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    generator = random.Random(5)
    texts, queries = random_texts(generator, 300), random_texts(generator, 40)
    texts = [text or "filled" for text in texts]  # scikit-learn counts empty texts among the documents
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    images = vectorizer.fit_transform(" ".join(words(text)) for text in texts)
    expected = vectorizer.transform(" ".join(words(query)) for query in queries) @ images.T
    found = scorer(queries, [[text] for text in texts], "ngrams").scores(slice(0, 40))
    np.testing.assert_allclose(found, expected.toarray(), rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("match", MATCHES)
def test_neither_blocks_nor_threads_nor_other_queries_change_a_bit(
    match: Match, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = random.Random(7)
    texts = [random_texts(generator, 2) for _ in range(500)]
    queries = random_texts(generator, 60)
    whole = scorer(queries, texts, match).scores(slice(0, 60))
    monkeypatch.setattr(documents, "IMAGES", 37)
    cut = scorer(queries, texts, match)
    with ThreadPoolExecutor(4) as pool:
        lines = list(pool.map(lambda row: cut.scores(slice(row, row + 1)), range(60)))
    assert np.concatenate(lines).tobytes() == whole.tobytes()
    assert cut.scores(slice(10, 31)).tobytes() == whole[10:31].tobytes()


@pytest.mark.parametrize("match", MATCHES)
def test_what_matches_nothing_scores_zero_and_images_with_the_same_words_tie(match: Match) -> None:
    texts = [["Summer SALE"], [], ["", "?"], ["sale", "SÙMMER"], ["winter"]]
    found = scorer(["summer sale", "", "…", "xyz", "鞋"], texts, match).scores(slice(0, 5))
    assert found.dtype == np.float32
    assert found[0, 0] == found[0, 3] > 0
    assert found[0, 1] == found[0, 2] == 0
    assert not found[1:].any()
    assert scorer([], texts, match).scores(slice(0, 5)).shape == (0, 5)


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("texts", [[[], []], [["?"], []], []], ids=["no text", "no word", "no image"])
def test_without_words_all_scores_are_zero(match: Match, texts: list[list[str]]) -> None:
    found = scorer(["sale", ""], texts, match).scores(slice(0, 2))
    assert found.shape == (2, len(texts)) and not found.any()


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("summer sale", "SUMNER SALE"),
        ("summer sale", "SUMMERSALE"),
        ("summersale", "SUMMER SALE"),
        ("summer sale", "5UMMER 5A1E"),
        ("free coffee today", "FREE C0FFEE T0DAY"),
        ("final call", "FlNAL CAII"),
        ("running shoes", "RUNN1NG SHOES"),
        ("golden delicious", "GOLDENDELICI0US"),
        ("распродажа", "РАСПР0ДАЖА"),
        ("夏季大促销", "夏季大促请"),
    ],
)
def test_slips_of_reading_leave_the_image_first(match: Match, query: str, read: str) -> None:
    others = [
        "winter offers",
        "sun and sea",
        "the call of the wild",
        "tea",
        "red apples",
        "зима",
        "红茶",
        "running late",
    ]
    found = scorer([query], [[text] for text in (*others, read)], match).scores(slice(0, 1))[0]
    assert found.argmax() == len(others)
    assert found[-1] > 1.5 * np.sort(found)[-2]


@pytest.mark.parametrize("match", MATCHES)
def test_a_word_read_right_ranks_before_the_same_read_wrong(match: Match) -> None:
    texts = [["SUMNER SALE"], ["SUMMER SALE"], *([["winter", "sale"]] * 5), *([["summer"]] * 5)]
    found = scorer(["summer sale"], texts, match).scores(slice(0, 1))
    assert top_k(found, 1).tolist() == [[1]]


def test_texts_of_all_fields_count_together() -> None:
    ocr, captions = images_of([["summer"], ["sale"], ["summer sale"]]), images_of([["sale"], [], []])
    index = WordIndex({"ocr": ocr, "caption": captions}, "words")
    found = WordScorer(["summer sale"], index).scores(slice(0, 1))[0]
    assert found[0] == found[2] > found[1] > 0


def test_fields_of_different_numbers_of_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"equally many images, found \[1, 2\]"):
        WordIndex({"ocr": [[], []], "caption": [[]]}, "ngrams")
    with pytest.raises(ValueError, match="at least one field"):
        WordIndex({}, "ngrams")


class Inputs:
    """What the kind ``words`` reads, and nothing else."""

    queries = ("summer sale", "tea")

    def texts(self, field: str) -> list[list[FieldText]]:
        return images_of({"ocr": [["SUMMER"], ["tea"]], "caption": [["a sale"], []]}[field])

    def word_index(self, fields: Sequence[str], match: Match) -> WordIndex:
        return WordIndex({field: self.texts(field) for field in fields}, match)


@pytest.mark.parametrize("match", MATCHES)
def test_params_describe_a_system_of_words(match: Match) -> None:
    systems = settings.Systems(
        {"w": settings.Words(kind="words", fields=["ocr", "caption"], match=match)}, []
    )
    system = build("w", systems, cast(SystemInputs, Inputs()))
    assert (system.n_queries, system.n_images) == (2, 2)
    joined = scorer(Inputs.queries, [["SUMMER", "a sale"], ["tea"]], match)
    assert system.scores(slice(0, 2)).tobytes() == joined.scores(slice(0, 2)).tobytes()


# Why.


def explained(query: str, *texts: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the texts that matched, with their words."""
    why = scorer([query], [["other"], texts], "ngrams").explain(0, [1])[0]
    return [(match.text.text, match.words) for match in why.matches]


def test_matching_words_are_shown_as_they_stand_the_best_text_first() -> None:
    found = explained(
        "Summer Sale today", "only TODAY", "Résumé: the SUMNER 5ALE!", "re-opened", "SUMMERSALE"
    )
    assert found == [
        ("SUMMERSALE", ("SUMMERSALE",)),
        ("Résumé: the SUMNER 5ALE!", ("SUMNER", "5ALE")),
        ("only TODAY", ("TODAY",)),
    ]


def test_short_words_are_shown_only_where_they_are_the_same() -> None:
    assert explained("to be", "tomato to beat", "a bee") == [("tomato to beat", ("to",))]
    assert explained("one more", "one in store", "once") == [("one in store", ("one",))]


def test_faint_matches_are_left_out() -> None:
    assert explained("a very long summer sale", "very long summer sale", "a tree") == [
        ("very long summer sale", ("very", "long", "summer", "sale"))
    ]


def test_windows_of_scripts_without_spaces_are_shown_as_one() -> None:
    assert explained("大促销", "夏季大促销, 红鞋") == [("夏季大促销, 红鞋", ("大促销",))]
    assert explained("鞋", "红鞋和鞋带") == [("红鞋和鞋带", ("鞋", "鞋"))]


def test_an_image_without_a_match_has_no_reason() -> None:
    assert explained("summer", "winter") == []
    assert explained("", "winter") == []
    assert explained("summer") == []


def test_fields_are_named() -> None:
    index = WordIndex({"ocr": images_of([["SALE"]]), "caption": images_of([["a sale"]])}, "both")
    matches = WordScorer(["sale"], index).explain(0, [0])[0].matches
    assert [(match.field, match.words) for match in matches] == [("ocr", ("SALE",)), ("caption", ("sale",))]
    assert matches[0].text == FieldText("0000", "SALE")


def test_scikit_learn_is_imported_where_it_is_used() -> None:
    code = "import sys, text2image.retrieval.systems.words.search; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
