"""Texts that could mean any image, and fragments, in several languages; and what names something in one of them."""

import pytest

from tests.support.pipeline import REPOSITORY
from text2image.formats.tables import read_csv
from text2image.queries.findings import FEW_CLUSTERS, query_findings
from text2image.queries.generic import is_fragment, is_generic, languages, words


@pytest.mark.parametrize(
    "text",
    [
        "Click here", "Cliquez ici", "Hier klicken", "Klicken Sie hier!", "Haga clic aquí", "Clicca qui", "Clique aqui",
        "Klik hier", "Нажмите здесь", "点击这里", "立即购买", "ここをクリック", "여기를 클릭하세요", "اضغط هنا", "Kliknij tutaj",
        "Buraya tıklayın", "Klicka här", "SHOP NOW", "learn more", "Mehr erfahren", "En savoir plus", "…", "!?", "",
    ],
)  # fmt: skip
def test_a_call_to_action_could_mean_any_image(text: str) -> None:
    assert is_generic(text)


@pytest.mark.parametrize(
    "text",
    [
        "🎸", "🎸️", "buy a guitar", "man in hat", "car", "hat", "here", "photo of man", "stop sign", "shop", "a shop",
        "join us", "sports car", "日本", "大人", "यहाँ का बाज़ार", "3D", "rotes Auto", "now",
    ],
)  # fmt: skip
def test_what_names_something_in_any_language_is_asked(text: str) -> None:
    """ "man", "hat" and "car" are function words, too: of German and of French."""
    assert not is_generic(text, ["a", "of", "photo"])


def test_words_keep_their_marks_and_symbols_are_words() -> None:
    assert words("यहाँ  l'ÉTÉ 🎸🎸 10 %") == ["यहाँ", "l", "été", "🎸", "🎸", "10"]
    assert words("e\u0301te\u0301") == ["été"], "however it is composed"


def test_languages_are_those_that_several_function_words_show() -> None:
    french = ["un chien sur le canapé", "une voiture dans la rue", "les enfants avec des ballons"]
    german = ["der Hund auf dem Sofa", "ein Mann mit einem Hut", "die Kinder und das Haus"]
    assert languages(french) == ["fr", "en"]
    assert sorted(languages([*french, *german])) == ["de", "en", "fr"]
    assert languages(["sports car", "hat", "man", "husky dog", "racing car", "pacifier"]) == ["en"]
    assert languages([]) == ["en"]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("dz606.com", True), ("www.shop.example/sale", True), ("mail@example.org", True), ("50 %", True), ("0800 123", True),
        ("a month", True), ("of the", True), ("ein Monat", True), ("im Preis", True), ("pacifier", False), ("🎸", False),
        ("red guitar", False), ("a red guitar", False), ("роза", False), ("Mr. Fox", False), ("日本", False),
    ],
)  # fmt: skip
def test_a_fragment_is_an_address_a_figure_or_one_word_beside_others_that_say_nothing(
    text: str, fragment: bool
) -> None:
    assert is_fragment(text, ["de", "en"]) is fragment


def test_what_is_weak_about_queries_is_said_with_examples() -> None:
    fine = [f"a red guitar with {n} strings" for n in range(FEW_CLUSTERS)]
    found = query_findings(fine, [], FEW_CLUSTERS)
    assert found["findings"] == []
    assert (found["n_queries"], found["n_fragments"], found["n_generic"]) == (FEW_CLUSTERS, 0, 0)
    assert query_findings(fine, [], 4)["findings"] == [
        "25 queries about 4 independent groups of images are few: a hit rate near 0.5 is known to ± 0.50"
    ]
    [said] = query_findings(["dz606.com", "a month"] * 20, [], 40)["findings"]
    assert said.startswith("40 of 40 queries are fragments, such as “dz606.com” and “a month”: web addresses")
    [said] = query_findings(fine, ["click here"] * 30, 25)["findings"]
    assert said.startswith("30 of 55 texts are too generic to search for, such as “click here” and")
    french = ["le mois", "la vie", "du jour", "un peu", "pour les gens"] * 6
    assert "30 of 30 queries are fragments" in query_findings(french, [], 30)["findings"][0]


def test_captions_that_people_wrote_are_neither() -> None:
    rows = read_csv(REPOSITORY / "sample" / "cutouts" / "captions.csv", ["text"])
    texts = [row["text"] for row in rows]
    spoken = languages(texts)
    assert (len(texts) > 300, spoken) == (True, ["en"])
    assert not [text for text in texts if is_generic(text) or is_fragment(text, spoken)]
